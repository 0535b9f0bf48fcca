import fmaSource from '../../shaders/ceiling_fma.wgsl';
import { f32, u32 } from './dispatch.ts';
import type { Dispatch } from './dispatch.ts';
import type { Gpu } from './gpu.ts';
import { Heap } from './heap.ts';
import { Program } from './program.ts';
import { RepeatTimer } from './repeat_timer.ts';

/** Threads of a workgroup: enough that one keeps a multiprocessor busy, so that a second one there takes as long again. */
const THREADS = 256;
/** Between one round of workgroups and two. */
const STEP = 1.4;
const MOST = 4096;
const BATCHES = 5;
/** Something else on the machine may make a round look longer, so the longest step of several searches counts. */
const SEARCHES = 3;
/** What one workgroup should take at least, so that starting it does not count. */
const LEAST_MS = 2;

/**
 * Workgroups that the device runs side by side: the time of workgroups that only compute is a staircase over their number, whose
 * first step has this length. Takes a second or two.
 */
export async function measureMultiprocessors(gpu: Gpu): Promise<number> {
  const timer = new RepeatTimer(gpu);
  const heap = new Heap(gpu, 'multiprocessors', 4 * MOST * THREADS);
  const sums = { dtype: 'f32', length: MOST * THREADS } as const;
  const storage = heap.allocate(4 * sums.length, 'sums of multiply-adds');
  const time = async (workgroups: number, iterations: number): Promise<number> => {
    const dispatch = {
      label: 'multiprocessors',
      code: `alias Lane = f32;\nalias Lanes = vec4f;\n${fmaSource}`.replace(
        '@workgroup_size(64)',
        `@workgroup_size(${THREADS})`,
      ),
      params: { iterations: u32(iterations), a: f32(0.5), b: f32(0.5) },
      operands: [{ buffer: sums, access: 'write' }],
      workgroups: [workgroups, 1, 1],
      flops: 0,
      bytes: 0,
    } as const satisfies Dispatch;
    const program = await Program.compile(gpu, [dispatch]);
    try {
      const bound = program.bind(() => storage);
      // The least of several: whatever else runs on the machine only makes them longer.
      return Math.min(...(await timer.time(bound, BATCHES, () => undefined)));
    } finally {
      program.destroy();
    }
  };
  try {
    let iterations = 256;
    let one = await time(1, iterations);
    while (one < LEAST_MS) {
      iterations *= Math.max(2, Math.ceil(LEAST_MS / Math.max(one, 0.01)));
      one = await time(1, iterations);
    }
    const isOneRound = async (workgroups: number): Promise<boolean> =>
      (await time(workgroups, iterations)) < STEP * one;
    const found: number[] = [];
    for (let i = 0; i < SEARCHES; i++) found.push(await lengthOfStep(isOneRound));
    return Math.max(...found);
  } finally {
    timer.destroy();
    heap.destroy();
  }
}

/** The largest number of workgroups that take one round. */
async function lengthOfStep(isOneRound: (workgroups: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [1, 2];
  while (high <= MOST && (await isOneRound(high))) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (await isOneRound(middle)) low = middle;
    else high = middle;
  }
  return low;
}
