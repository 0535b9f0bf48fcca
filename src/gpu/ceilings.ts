import copySource from '../../shaders/ceiling_copy.wgsl';
import fmaSource from '../../shaders/ceiling_fma.wgsl';
import { bytesOf, DTYPE_BYTES, f32, u32 } from './dispatch.ts';
import type { BufferRef, Dispatch } from './dispatch.ts';
import type { Gpu } from './gpu.ts';
import { Heap } from './heap.ts';
import { Program } from './program.ts';
import type { Storage } from './storage.ts';

const WORKGROUP = 64;
/** Runs are repeated within a submit until one takes this long, so that submitting does not count. */
const ENOUGH_MS = 20;
const SAMPLES = 3;

/** What the device can do at most, measured: what a kernel's own rate is to be judged by. */
export interface Ceilings {
  /** f32 multiply-adds from registers, 10^9 operations a second (a multiply-add is two). */
  readonly fmaGflops: number;
  /** Reading and writing large buffers, 10^9 bytes a second, both directions added. */
  readonly copyGBps: number;
  /** One more tiny dispatch within a pass, each waiting for the one before, encoding included. */
  readonly dispatchMicroseconds: number;
  /** From asking for four bytes to having them, on an idle device. */
  readonly readbackMilliseconds: number;
}

/** Measures for about a second. */
export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  const fma = fmaDispatch(gpu);
  // Larger than any cache.
  const copyMiB = Math.max(64, 2 * gpu.geometry.workgroupsToFill);
  const copy = copyDispatch(gpu, Math.min(copyMiB * 2 ** 20, gpu.maxStorageBytes));
  const tiny = copyDispatch(gpu, 16 * WORKGROUP);
  const chain = 200;
  return {
    fmaGflops: fma.flops / (await fastest(gpu, [fma])) / 1e6,
    copyGBps: copy.bytes / (await fastest(gpu, [copy])) / 1e6,
    dispatchMicroseconds: ((await fastest(gpu, new Array<Dispatch>(chain).fill(tiny))) / chain) * 1e3,
    readbackMilliseconds: await readbackLatency(gpu),
  };
}

function fmaDispatch(gpu: Gpu): Dispatch {
  const workgroups = 64 * gpu.geometry.workgroupsToFill;
  const iterations = 64;
  const length = workgroups * WORKGROUP;
  return {
    label: 'ceiling fma',
    code: fmaSource,
    params: { iterations: u32(iterations), a: f32(0.999), b: f32(0.001) },
    operands: [{ buffer: { dtype: 'f32', length }, access: 'write' }],
    workgroups: [workgroups, 1, 1],
    flops: length * iterations * 32 * 4 * 2,
    bytes: length * DTYPE_BYTES.f32,
  };
}

function copyDispatch(gpu: Gpu, bytes: number): Dispatch {
  const count = Math.floor(bytes / 16);
  const buffer = (): BufferRef => ({ dtype: 'f32', length: 4 * count });
  const workgroups = Math.ceil(count / WORKGROUP);
  const rows = Math.ceil(workgroups / gpu.geometry.maxWorkgroupsPerDimension);
  return {
    label: 'ceiling copy',
    code: copySource,
    params: { count: u32(count) },
    operands: [
      { buffer: buffer(), access: 'read' },
      { buffer: buffer(), access: 'write' },
    ],
    workgroups: [Math.ceil(workgroups / rows), rows, 1],
    flops: 0,
    bytes: 32 * count,
  };
}

/** Milliseconds that the dispatches take together, the best of a few runs. */
async function fastest(gpu: Gpu, dispatches: readonly Dispatch[]): Promise<number> {
  const heaps: Heap[] = [];
  const places = new Map<BufferRef, Storage>();
  const place = (ref: BufferRef): Storage => {
    const known = places.get(ref);
    if (known !== undefined) return known;
    const heap = new Heap(gpu, 'ceiling', bytesOf(ref));
    const storage = heap.allocate(bytesOf(ref), 'a ceiling');
    heaps.push(heap);
    places.set(ref, storage);
    return storage;
  };
  const program = await Program.compile(gpu, dispatches);
  const bound = program.bind(place);
  const time = async (repeats: number): Promise<number> => {
    const start = performance.now();
    gpu.submit((encoder) => {
      for (let i = 0; i < repeats; i++) bound.encode(encoder);
    });
    await gpu.idle();
    return performance.now() - start;
  };
  try {
    await time(1);
    let repeats = 1;
    let best = await time(repeats);
    while (best < ENOUGH_MS) {
      repeats *= 2;
      best = await time(repeats);
    }
    for (let i = 1; i < SAMPLES; i++) best = Math.min(best, await time(repeats));
    return best / repeats;
  } finally {
    program.destroy();
    for (const heap of heaps) heap.destroy();
  }
}

async function readbackLatency(gpu: Gpu): Promise<number> {
  const heap = new Heap(gpu, 'ceiling', 256);
  try {
    const storage = heap.allocate(4, 'a ceiling');
    const times: number[] = [];
    for (let i = 0; i < 12; i++) {
      const start = performance.now();
      await gpu.read(storage, 4);
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[5] ?? NaN;
  } finally {
    heap.destroy();
  }
}
