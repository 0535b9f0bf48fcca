import copySource from '../../shaders/ceiling_copy.wgsl';
import fmaSource from '../../shaders/ceiling_fma.wgsl';
import matrixSource from '../../shaders/ceiling_matrix.wgsl';
import { bytesOf, DTYPE_BYTES, f32, u32 } from './dispatch.ts';
import type { ArithmeticUnits, BufferRef, Dispatch } from './dispatch.ts';
import type { Gpu } from './gpu.ts';
import { Heap } from './heap.ts';
import type { MatrixConfig } from './profile.ts';
import { Program } from './program.ts';
import type { Storage } from './storage.ts';

const WORKGROUP = 64;
/** Runs are repeated within a submit until one takes this long, so that submitting does not count. */
const ENOUGH_MS = 20;
const SAMPLES = 5;
const LATENCY_SAMPLES = 11;
/** Bytes at either end of a result that are looked at. */
const COMPARED_BYTES = 1024;

/** What the device can do at most, measured: what a kernel's own rate is to be judged by. Medians. */
export interface Ceilings {
  /** f32 multiply-adds from registers, 10^9 operations a second (a multiply-add is two). */
  readonly fmaGflops: number;
  /** The same in f16; null without shader-f16. */
  readonly fmaF16Gflops: number | null;
  /** Products of f16 matrices with sums in f32, on subgroup matrices; null without them. */
  readonly matrixF16Gflops: number | null;
  /** The same for f32 matrices. */
  readonly matrixF32Gflops: number | null;
  /** Reading and writing large buffers, 10^9 bytes a second, both directions added. */
  readonly copyGBps: number;
  /** One more tiny dispatch within a pass, each waiting for the one before, encoding included. */
  readonly dispatchMicroseconds: number;
  /** From submitting a tiny dispatch on an idle device to knowing that it is done. */
  readonly submitMilliseconds: number;
  /** From asking for four bytes to having them, on an idle device. */
  readonly readbackMilliseconds: number;
}

/** The ceilings that bound kernels. */
export type Roofs = Pick<Ceilings, 'fmaGflops' | 'copyGBps'> &
  Partial<Pick<Ceilings, 'matrixF16Gflops' | 'matrixF32Gflops'>>;

/** Ceiling of what computes a dispatch, 10^9 operations a second: that of multiply-adds in f32 where its own was not measured. */
export function arithmeticGflops(units: ArithmeticUnits | null, roofs: Roofs): number {
  switch (units) {
    case 'matrixF16':
      return roofs.matrixF16Gflops ?? roofs.fmaGflops;
    case 'matrixF32':
      return roofs.matrixF32Gflops ?? roofs.fmaGflops;
    case null:
      return roofs.fmaGflops;
  }
}

/** Measures for about a second. Throws an Error if a kernel that is measured gives a wrong result. */
export async function measureCeilings(gpu: Gpu): Promise<Ceilings> {
  const fma = fmaDispatch(gpu, 'f32');
  const fmaF16 = gpu.geometry.f16 ? fmaDispatch(gpu, 'f16') : null;
  const matrixGflops = async (type: MatrixConfig['componentType']): Promise<number | null> => {
    const dispatch = matrixDispatch(gpu, type);
    return dispatch && dispatch.flops / (await measure(gpu, [dispatch], checkSums)) / 1e6;
  };
  // Larger than any cache.
  const copyMiB = Math.max(64, 2 * gpu.geometry.workgroupsToFill);
  const copy = copyDispatch(gpu, Math.min(copyMiB * 2 ** 20, gpu.maxStorageBytes));
  const tiny = copyDispatch(gpu, 16 * WORKGROUP);
  const chain = 200;
  return {
    fmaGflops: fma.flops / (await measure(gpu, [fma], checkSums)) / 1e6,
    fmaF16Gflops: fmaF16 && fmaF16.flops / (await measure(gpu, [fmaF16], checkSums)) / 1e6,
    matrixF16Gflops: await matrixGflops('f16'),
    matrixF32Gflops: await matrixGflops('f32'),
    copyGBps: copy.bytes / (await measure(gpu, [copy], checkCopy)) / 1e6,
    dispatchMicroseconds:
      ((await measure(gpu, new Array<Dispatch>(chain).fill(tiny), checkCopy)) / chain) * 1e3,
    ...(await latencies(gpu, tiny)),
  };
}

/** What comes before the kernel's text. */
const LANES = {
  f32: 'alias Lane = f32;\nalias Lanes = vec4f;\n',
  f16: 'enable f16;\nalias Lane = f16;\nalias Lanes = vec4h;\n',
} as const;

function fmaDispatch(gpu: Gpu, dtype: keyof typeof LANES): Dispatch {
  const workgroups = 64 * gpu.geometry.workgroupsToFill;
  const iterations = 64;
  const length = workgroups * WORKGROUP;
  return {
    label: `ceiling fma ${dtype}`,
    code: LANES[dtype] + fmaSource,
    // Each chain tends to 1, whatever it began with.
    params: { iterations: u32(iterations), a: f32(0.5), b: f32(0.5) },
    operands: [{ buffer: { dtype: 'f32', length }, access: 'write' }],
    workgroups: [workgroups, 1, 1],
    flops: length * iterations * 32 * 4 * 2,
    bytes: length * DTYPE_BYTES.f32,
  };
}

/** Products of the largest matrices of this type; null if there are none, or if subgroups may have several sizes. */
function matrixDispatch({ geometry }: Gpu, type: MatrixConfig['componentType']): Dispatch | null {
  const { subgroups, matrices, workgroupsToFill } = geometry;
  const [matrix] = matrices
    .filter((one) => one.componentType === type && one.resultComponentType === 'f32')
    .toSorted((one, other) => other.M * other.N * other.K - one.M * one.N * one.K);
  if (matrix === undefined || subgroups === null || subgroups.min !== subgroups.max) return null;
  const { M, N, K } = matrix;
  const workgroups = 16 * workgroupsToFill;
  // Each of eight sums ends at 4.
  const iterations = (4 * 2 ** 10) / K;
  const length = workgroups * 4 * M * N;
  const constants =
    `enable subgroups;\nenable chromium_experimental_subgroup_matrix;\n${type === 'f16' ? 'enable f16;\n' : ''}` +
    `alias Element = ${type};\nconst M = ${M};\nconst N = ${N};\nconst K = ${K};\n` +
    `const SUBGROUP_SIZE = ${subgroups.max};\n`;
  return {
    label: `ceiling matrix ${type}`,
    code: constants + matrixSource,
    params: { iterations: u32(iterations) },
    operands: [{ buffer: { dtype: 'f32', length }, access: 'readwrite' }],
    workgroups: [workgroups, 1, 1],
    flops: length * K * 2 * 8 * iterations,
    bytes: 16 * length * DTYPE_BYTES.f32,
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

/** Runs a dispatch once and looks at both ends of what it has written. Throws an Error where that is wrong. */
type Check = (
  gpu: Gpu,
  dispatch: Dispatch,
  place: (ref: BufferRef) => Storage,
  run: () => void,
) => Promise<void>;

/** The first and the last part of a storage of so many bytes. */
const endsOf = ({ buffer, offset }: Storage, bytes: number): readonly Storage[] => {
  const part = Math.min(COMPARED_BYTES, bytes);
  return [0, bytes - part].map((from) => ({ buffer, offset: offset + from, bytes: part }));
};

/** Eight chains of four lanes, each of which ends at 1. */
const checkSums: Check = async (gpu, { label, operands: [sums] }, place, run) => {
  if (sums === undefined) return;
  run();
  for (const end of endsOf(place(sums.buffer), bytesOf(sums.buffer))) {
    const values = new Float32Array(await gpu.read(end, end.bytes));
    const wrong = values.find((value) => !(Math.abs(value - 32) < 0.1));
    if (wrong !== undefined) throw new Error(`${label} gave ${wrong} instead of 32: its time means nothing`);
  }
};

const checkCopy: Check = async (gpu, { label, operands: [x, y] }, place, run) => {
  if (x === undefined || y === undefined) return;
  const [from, to] = [x, y].map(({ buffer }) => endsOf(place(buffer), bytesOf(buffer)));
  // Both ends of a small buffer are one.
  const given = (from ?? []).map((end) => {
    const words = Uint32Array.from({ length: end.bytes / 4 }, (_, i) => 0x3f800000 + end.offset / 4 + i);
    gpu.upload(end, words);
    return words;
  });
  run();
  for (const [k, end] of (to ?? []).entries()) {
    const got = new Uint32Array(await gpu.read(end, end.bytes));
    if (got.some((word, i) => word !== given[k]?.[i]))
      throw new Error(`${label} copied bytes wrongly: its time means nothing`);
  }
};

/** Milliseconds that the dispatches take together. */
async function measure(gpu: Gpu, dispatches: readonly Dispatch[], check: Check): Promise<number> {
  return withProgram(gpu, dispatches, async (run, place) => {
    const [first] = dispatches;
    if (first !== undefined) await check(gpu, first, place, () => run(1));
    const time = async (repeats: number): Promise<number> => {
      const start = performance.now();
      run(repeats);
      await gpu.idle();
      return performance.now() - start;
    };
    let repeats = 1;
    let last = await time(repeats);
    while (last < ENOUGH_MS) {
      repeats *= 2;
      last = await time(repeats);
    }
    const times = [last];
    while (times.length < SAMPLES) times.push(await time(repeats));
    return median(times) / repeats;
  });
}

/** Calls `work` with a function that submits the dispatches, all of them a number of times. */
async function withProgram<T>(
  gpu: Gpu,
  dispatches: readonly Dispatch[],
  work: (run: (repeats: number) => void, place: (ref: BufferRef) => Storage) => Promise<T>,
): Promise<T> {
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
  try {
    const bound = program.bind(place);
    const run = (repeats: number): void =>
      gpu.submit((encoder) => {
        for (let i = 0; i < repeats; i++) bound.encode(encoder);
      });
    return await work(run, place);
  } finally {
    program.destroy();
    for (const heap of heaps) heap.destroy();
  }
}

const latencies = (
  gpu: Gpu,
  tiny: Dispatch,
): Promise<Pick<Ceilings, 'submitMilliseconds' | 'readbackMilliseconds'>> =>
  withProgram(gpu, [tiny], async (run, place) => {
    const storage = place((tiny.operands[1] ?? tiny.operands[0])?.buffer ?? { dtype: 'f32', length: 1 });
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < LATENCY_SAMPLES; i++) {
        const start = performance.now();
        await work();
        times.push(performance.now() - start);
      }
      return median(times);
    };
    return {
      submitMilliseconds: await timed(() => {
        run(1);
        return gpu.idle();
      }),
      readbackMilliseconds: await timed(() => gpu.read(storage, 4)),
    };
  });

/** Of an odd number of values. */
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
