/*
 * Whether a choice computes what the usual one does: both run on the same noise, and what they write is compared on the device, with the
 * bounds that the kernels' tests have.
 */
import type { BufferRef, Dispatch, DType } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Program } from '../../gpu/program.ts';
import type { KernelContext, Tunable, TunedChoice, TunedPartials, TunedWork } from '../../kernels/context.ts';
import { relativeDifference, tuningDifference } from '../../kernels/tuning_difference.ts';
import { asDispatched } from './dispatched.ts';
import { Scratch } from './scratch.ts';

/** Relative error of a product against exact sums, by the type that it is stored in; sums of up to 5000 products. */
const TOLERANCE: Readonly<Record<DType, number>> = { f32: 2e-6, f16: 1e-3, i32: 0, u32: 0, u8: 0 };
const TESTED_SUM = 5000;
/** The same of statistics over a channel. */
const STATISTICS_TOLERANCE = 1e-5;

const DIFFERENCE_THREADS = 4096;

/** What a choice gives that differs from the usual one's by more than rounding; null if nothing does. */
export type Check = (choice: TunedChoice) => Promise<string | null>;

/** Runs the usual choice once; each call of the result runs another. */
export async function withCheck<T>(
  gpu: Gpu,
  context: KernelContext,
  tunable: Tunable,
  use: (check: Check) => Promise<T>,
): Promise<T> {
  const usual = new Scratch(gpu);
  const before = new Scratch(gpu);
  try {
    const work = tunable.make(context, tunable.usual);
    const outputs = await runOn(gpu, work, usual);
    for (const ref of outputs) before.fill(ref);
    return await use(async (choice) => {
      const other = new Scratch(gpu);
      try {
        const made = tunable.make(context, choice);
        await runOn(gpu, made, other);
        for (const ref of outputs) {
          const error = await differenceOf(gpu, ref, [before, usual, other]);
          const bound = boundOf(ref.dtype, tunable.sumLength);
          if (!(error <= bound)) return differing('result differs', error, bound);
        }
        return await statisticsDiffer(work.partials, made.partials, usual, other);
      } finally {
        other.destroy();
      }
    });
  } finally {
    usual.destroy();
    before.destroy();
  }
}

/** Two results may each be as far from the exact one; the rounding error of a sum grows with the root of its length. */
const boundOf = (dtype: DType, sumLength: number): number =>
  2 * TOLERANCE[dtype] * (dtype === 'f32' ? Math.max(1, Math.sqrt(sumLength / TESTED_SUM)) : 1);

const differing = (what: string, error: number, bound: number): string =>
  `its ${what} by ${error.toExponential(1)}, more than ${bound.toExponential(1)}`;

/** Runs the work on noise, and gives the buffers that it writes which are not temporaries. */
async function runOn(gpu: Gpu, { dispatches, partials }: TunedWork, scratch: Scratch): Promise<BufferRef[]> {
  const temporary = temporariesOf(dispatches, partials);
  const all = asDispatched(gpu, dispatches);
  for (const ref of new Set(all.flatMap(({ operands }) => operands.map(({ buffer }) => buffer))))
    scratch.fill(ref);
  const program = await Program.compile(gpu, all);
  try {
    program.bind((ref) => scratch.place(ref)).run();
    await gpu.idle();
  } finally {
    program.destroy();
  }
  const written = dispatches.flatMap(({ operands }) =>
    operands.filter(({ access, buffer }) => access !== 'read' && !temporary.has(buffer)),
  );
  return [...new Set(written.map(({ buffer }) => buffer))];
}

/** Buffers that only these dispatches know: partial statistics, and what one writes in full and a later one reads. */
function temporariesOf(dispatches: readonly Dispatch[], partials: TunedPartials | null): Set<BufferRef> {
  const temporary = new Set<BufferRef>(partials === null ? [] : [partials.buffer]);
  dispatches.forEach(({ operands }, i) => {
    const later = dispatches.slice(i + 1).flatMap((dispatch) => dispatch.operands);
    for (const { buffer, access } of operands)
      if (access === 'write' && later.some((use) => use.buffer === buffer && use.access === 'read'))
        temporary.add(buffer);
  });
  return temporary;
}

async function differenceOf(
  gpu: Gpu,
  ref: BufferRef,
  scratches: readonly [Scratch, Scratch, Scratch],
): Promise<number> {
  const [before, usual, other] = scratches.map((): BufferRef => ({ ...ref })) as [
    BufferRef,
    BufferRef,
    BufferRef,
  ];
  const partial: BufferRef = {
    dtype: 'f32',
    length: 3 * Math.min(DIFFERENCE_THREADS, ref.length),
  };
  const sums = new Scratch(gpu);
  const dispatches = asDispatched(gpu, [tuningDifference(gpu.geometry, [before, usual, other], partial)]);
  const program = await Program.compile(gpu, dispatches);
  try {
    const places = new Map([before, usual, other].map((twin, i) => [twin, scratches[i]?.place(ref)]));
    program.bind((twin) => places.get(twin) ?? sums.place(twin)).run();
    return relativeDifference(new Float32Array(await sums.read(partial)));
  } finally {
    program.destroy();
    sums.destroy();
  }
}

/** Whether statistics of the channels differ once their parts are joined, of which choices have different numbers. */
async function statisticsDiffer(
  usual: TunedPartials | null,
  other: TunedPartials | null,
  usualAt: Scratch,
  otherAt: Scratch,
): Promise<string | null> {
  if (usual === null || other === null) return usual === other ? null : 'it makes other statistics';
  const expected = joined(usual, new Float32Array(await usualAt.read(usual.buffer)));
  const found = joined(other, new Float32Array(await otherAt.read(other.buffer)));
  for (const [i, want] of expected.entries()) {
    const got = found[i] ?? [];
    const norm = (values: readonly number[]): number => Math.hypot(...values);
    const error = norm(want.map((value, k) => (got[k] ?? NaN) - value)) / (norm(want) || 1);
    const bound = 2 * STATISTICS_TOLERANCE;
    if (!(error <= bound)) return differing('statistics differ', error, bound);
  }
  return null;
}

/** Statistics of each channel: of moments mean and sum of squares about it (Chan et al. 1979), else the two sums. */
function joined({ kind, parts, channels }: TunedPartials, values: Float32Array): number[][] {
  const at = (row: number, part: number, channel: number): number =>
    values[(row * parts + part) * channels + channel] ?? NaN;
  const sum = (term: (part: number) => number): number =>
    Array.from({ length: parts }, (_, part) => term(part)).reduce((total, value) => total + value, 0);
  const all = Array.from({ length: channels }, (_, c) => c);
  if (kind === 'sums') return [0, 1].map((row) => all.map((c) => sum((part) => at(row, part, c))));
  const means = all.map((c) => {
    const count = sum((part) => at(2, part, c));
    return sum((part) => at(0, part, c) * at(2, part, c)) / count;
  });
  const squares = all.map((c) =>
    sum((part) => at(1, part, c) + at(2, part, c) * (at(0, part, c) - (means[c] ?? NaN)) ** 2),
  );
  return [means, squares];
}
