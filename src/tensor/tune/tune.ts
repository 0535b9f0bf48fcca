/*
 * Measures the choices of a compiled function's kernels in its own plan: on the buffers that the plan binds, after the dispatches that go
 * before. A choice is timed only after its result was compared with that of the usual one.
 */
import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Program, type BoundProgram } from '../../gpu/program.ts';
import { RepeatTimer } from '../../gpu/repeat_timer.ts';
import type { TunedProduct, TunedProducts } from '../../gpu/tuned.ts';
import type { KernelContext, Tunable, TunedChoice } from '../../kernels/context.ts';
import { hashOf } from '../../kernels/tunable.ts';
import type { CompiledPlan } from '../calls.ts';
import type { CompiledFunction } from '../compile.ts';
import { asError } from '../graph/errors.ts';
import { LogicalStorage } from '../graph/storage.ts';
import type { StepResult } from '../trace.ts';
import { withCheck, type Check } from './check.ts';
import { asDispatched } from './dispatched.ts';
import { placesInPlan } from './places.ts';
import { Scratch } from './scratch.ts';

/** A choice that was not taken into account, and why. */
interface RefusedChoice {
  readonly choice: TunedChoice;
  readonly why: string;
}

/** What was measured of one problem. */
export interface TuneResult {
  readonly key: string;
  /** Name and sizes of the kernel, as in profiles. */
  readonly kernel: string;
  readonly shape: string;
  /** How many times the plan does such work. */
  readonly count: number;
  readonly usual: TunedChoice;
  readonly best: TunedChoice;
  readonly usualMilliseconds: number;
  readonly milliseconds: number;
  /** How many choices were timed. */
  readonly timed: number;
  readonly refused: readonly RefusedChoice[];
  readonly entry: TunedProduct;
}

interface TuneOptions {
  /** Choices from before; those that still hold are not measured again. */
  readonly known: TunedProducts;
  /** Called after each problem, of which there are `total`. */
  readonly onResult?: (result: TuneResult, done: number, total: number) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export interface TuneSummary {
  /** Problems in the plan, and those among them whose choice was known. */
  readonly total: number;
  readonly known: number;
  readonly results: readonly TuneResult[];
}

/** A choice that takes so many times as long as the best one in a first batch is not timed further. */
const HOPELESS = 1.25;
const BATCHES = 5;
/** The best choice is taken if it takes less than this part of the usual one's time, both measured in turns. */
const WORTH = 0.97;
/** Dispatches of the plan that run before a batch. */
const BEFORE = 2;

/**
 * Measures the choices of each problem in the plan of the last call of the function, which must not be called meanwhile. What is in
 * gradients is lost; parameters and statistics stay as they are. Throws an Error before the first call.
 */
export async function tune(
  step: CompiledFunction<StepResult>,
  { known, onResult, signal }: TuneOptions,
): Promise<TuneSummary> {
  const { gpu, queue } = step.device.runtime;
  const plan = step.lastPlan;
  if (plan?.program == null) throw new Error('tune: call the function first, so that it has a plan');
  const byKey = new Map<string, Tunable[]>();
  for (const tunable of plan.traced.tunables)
    byKey.set(tunable.key, [...(byKey.get(tunable.key) ?? []), tunable]);
  const context = contextOf(gpu);
  const timer = new RepeatTimer(gpu);
  const results: TuneResult[] = [];
  let held = 0;
  try {
    for (const [key, tunables] of byKey) {
      const [tunable] = tunables;
      if (tunable === undefined) continue;
      signal?.throwIfAborted();
      const rivals = hashOf(context, tunable, tunable.kernels());
      if (known.get(key)?.rivals === rivals && isKept(known, tunable)) {
        held++;
        continue;
      }
      const result = await queue.run(() =>
        tuneOne(step, plan, context, timer, { tunable, rivals, count: tunables.length }),
      );
      results.push(result);
      await onResult?.(result, held + results.length, byKey.size);
    }
  } finally {
    timer.destroy();
  }
  return { total: byKey.size, known: held, results };
}

/** Whether the plan took the choice that is known. */
function isKept(known: TunedProducts, { key, chosen }: Tunable): boolean {
  const record = known.get(key)?.choice ?? {};
  return Object.entries(chosen).every(([name, value]) => record[name] === value);
}

const contextOf = ({ geometry }: Gpu): KernelContext => ({
  geometry,
  temporary: (length, dtype = 'f32') => new LogicalStorage(dtype, length, 'workspace for tuning'),
});

interface Job {
  readonly tunable: Tunable;
  readonly rivals: string;
  readonly count: number;
}

function tuneOne(
  { device: { runtime } }: CompiledFunction<StepResult>,
  plan: CompiledPlan,
  context: KernelContext,
  timer: RepeatTimer,
  { tunable, rivals, count }: Job,
): Promise<TuneResult> {
  const { gpu } = runtime;
  const usual = asDispatched(gpu, tunable.make(context, tunable.usual).dispatches);
  const before = encodeBefore(plan, usual);
  const time = async (choice: TunedChoice, batches: number, most?: number): Promise<number[]> => {
    const dispatches = asDispatched(gpu, tunable.make(context, choice).dispatches);
    const scratch = new Scratch(gpu);
    const program = await Program.compile(gpu, dispatches);
    try {
      const bound = program.bind(placesInPlan(runtime, plan.traced.plan, dispatches, scratch));
      return await timer.time(bound, batches, before, most);
    } finally {
      program.destroy();
      scratch.destroy();
    }
  };
  return withCheck(gpu, context, tunable, async (check) => {
    const search = new Search(tunable, check, time);
    await search.run();
    const { best, usualMilliseconds, milliseconds, timed, refused } = search;
    const { label = '', shape = '' } = usual[0] ?? {};
    const entry = {
      choice: { ...best },
      wgsl: hashOf(context, tunable, [best]),
      rivals,
      usualMilliseconds,
      milliseconds,
    };
    return {
      ...{ key: tunable.key, kernel: label, shape, count, usual: tunable.usual, best },
      ...{ usualMilliseconds, milliseconds, timed, refused, entry },
    };
  });
}

/** The search for the best choice of one problem. */
class Search {
  best: TunedChoice;
  usualMilliseconds = NaN;
  milliseconds = NaN;
  timed = 0;
  readonly refused: RefusedChoice[] = [];
  readonly #tunable: Tunable;
  readonly #check: Check;
  readonly #time: (choice: TunedChoice, batches: number, most?: number) => Promise<number[]>;

  constructor(
    tunable: Tunable,
    check: Check,
    time: (choice: TunedChoice, batches: number, most?: number) => Promise<number[]>,
  ) {
    this.best = tunable.usual;
    this.#tunable = tunable;
    this.#check = check;
    this.#time = time;
  }

  /** All kernels with their usual chunks and splits first, then chunks and splits of the best one. */
  async run(): Promise<void> {
    const { usual, kernels, near } = this.#tunable;
    this.milliseconds = median(await this.#time(usual, BATCHES));
    this.timed++;
    for (const choice of kernels().slice(1)) await this.#try(choice);
    for (const choice of near(this.best)) await this.#try(choice);
    await this.#decide();
  }

  async #try(choice: TunedChoice): Promise<void> {
    try {
      const why = await this.#check(choice);
      if (why !== null) {
        this.refused.push({ choice, why });
        return;
      }
      const milliseconds = median(await this.#time(choice, BATCHES, HOPELESS * this.milliseconds));
      this.timed++;
      if (milliseconds < this.milliseconds) [this.best, this.milliseconds] = [choice, milliseconds];
    } catch (error) {
      // A kernel that this adapter does not compile is no reason to give the others up.
      this.refused.push({ choice, why: asError(error).message.split('\n')[0] ?? '' });
    }
  }

  /** Measures the best choice against the usual one in turns, since a device's clock drifts. */
  async #decide(): Promise<void> {
    const { usual } = this.#tunable;
    if (this.best === usual) {
      this.usualMilliseconds = this.milliseconds;
      return;
    }
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let i = 0; i < 3; i++) {
      theirs.push(median(await this.#time(usual, 2)));
      ours.push(median(await this.#time(this.best, 2)));
    }
    [this.usualMilliseconds, this.milliseconds] = [median(theirs), median(ours)];
    if (this.milliseconds > WORTH * this.usualMilliseconds)
      [this.best, this.milliseconds] = [usual, this.usualMilliseconds];
  }
}

/**
 * Encodes the dispatches that the plan has before the work, so that caches hold what they leave there; none that changes running
 * statistics or parameters.
 */
function encodeBefore(
  { traced, program }: CompiledPlan,
  work: readonly Dispatch[],
): (encoder: GPUCommandEncoder) => void {
  const outputs = new Set(
    work.flatMap(({ operands }) =>
      operands.flatMap(({ access, buffer }) => (access === 'read' ? [] : [buffer])),
    ),
  );
  const at = traced.plan.dispatches.findIndex(
    ({ label, operands }) =>
      label === work[0]?.label &&
      operands.some(({ access, buffer }) => access !== 'read' && outputs.has(buffer)),
  );
  const bound: BoundProgram | null = program;
  if (at <= 0 || bound === null) return () => undefined;
  const { dispatches, captured } = traced.plan;
  const lasts = (buffer: BufferRef): boolean => buffer instanceof LogicalStorage && captured.has(buffer);
  const isHarmless = (dispatch: Dispatch | undefined): boolean =>
    dispatch?.operands.every(({ access, buffer }) => access === 'read' || !lasts(buffer)) ?? false;
  let first = at;
  while (first > Math.max(0, at - BEFORE) && isHarmless(dispatches[first - 1])) first--;
  return first === at ? () => undefined : (encoder) => bound.encode(encoder, undefined, first, at);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
