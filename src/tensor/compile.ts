import type { Dispatch } from '../gpu/dispatch.ts';
import type { Profiler } from '../gpu/profiler.ts';
import type { Program } from '../gpu/program.ts';
import { asError } from './graph/errors.ts';
import {
  bindPlan,
  checkRanges,
  compilePlan,
  encodeCall,
  holds,
  replay,
  type CompiledPlan,
  type CompilingDevice,
} from './calls.ts';
import { checkOptions, type OptionKinds } from './graph/options.ts';
import type { Precision } from './graph/recording.ts';
import type { LogicalStorage } from './graph/storage.ts';
import type { Tensor } from './graph/tensor.ts';
import type { Plan } from './plan/plan.ts';
import { statisticsOf, type PlanStatistics } from './plan/statistics.ts';
import {
  checkInput,
  keyOf,
  planFunction,
  specOf,
  type CheckedInput,
  type StepInput,
  type StepResult,
} from './trace.ts';

/** Plans kept for one set of input shapes; beyond that the oldest is given back. */
const PLANS_KEPT = 8;

/**
 * A recorded function. The first call for each set of input shapes traces and plans it; later calls replay the plan: no buffer,
 * bind group or pipeline is made, and there is one submit. Host code inside runs at tracing only, so conditions on plain
 * variables are decided then; training mode, requiresGrad, gradients that are there or not and the state of optimisers are
 * watched, and a change traces anew. Results stay valid for the next 3 calls.
 */
export interface CompiledFunction<Result extends StepResult> {
  (...inputs: StepInput[]): Promise<Result>;
  /**
   * Appends a call to a command encoder of the caller's, who submits it before the task ends (before the next await); its results
   * are there for what is submitted or read after that. What is submitted first happens first, whoever submits it: a call or a read
   * between `encode` and the submit sees the state from before. Throws an Error if the step is not ready: see `prepare`.
   */
  encode(encoder: GPUCommandEncoder, ...inputs: StepInput[]): Result;
  /** Traces, plans and compiles for such inputs, and runs nothing. Resolves when `encode` and calls can start at once. */
  prepare(...inputs: StepInput[]): Promise<void>;
  /** Of the plan that ran last. Throws an Error before the first call. */
  statistics(): PlanStatistics;
  /** What a call with such inputs would do; nothing is run, and everything is left as it was. */
  plan(inputs: readonly StepInput[], options?: CompiledPlanOptions): PlanStatistics;
  /** Times the dispatches of the calls that follow, until it is called with undefined. @internal */
  profile(profiler: Profiler | undefined): void;
  /** The plan that ran last; null before the first call. @internal */
  readonly lastPlan: CompiledPlan | null;
  /** The device that it runs on. @internal */
  readonly device: CompilingDevice;
  /** How activations and gradients are stored. */
  readonly precision: Precision;
  /** How often the function was traced, that is planned anew. */
  readonly traces: number;
  /** Gives the memory back; also done when the function is collected. */
  dispose(): void;
}

export interface CompileOptions {
  /**
   * How activations and gradients are stored between kernels; all is computed in f32, and parameters, their gradients, statistics and
   * losses stay f32. Default f32. A device without shader-f16 takes f32 instead and logs it; see `CompiledFunction.precision`.
   */
  readonly precision?: Precision;
}

const COMPILE_OPTIONS: OptionKinds<CompileOptions> = {
  precision: { what: "'f32' or 'f16'", accepts: (value) => value === 'f32' || value === 'f16' },
};

export interface CompiledPlanOptions {
  /** Default: as the device has it. */
  readonly fusion?: boolean;
  /** Is shown each dispatch, in order. @internal */
  readonly onDispatch?: (dispatch: Dispatch) => void;
  /** Is shown the whole plan. @internal */
  readonly onPlan?: (plan: Plan) => void;
}

export function compileFunction<Result extends StepResult>(
  device: CompilingDevice,
  fn: (...inputs: Tensor[]) => Result,
  options: CompileOptions = {},
): CompiledFunction<Result> {
  const precision = precisionOf(device, options);
  if (precision === 'f16') device.enableLossScale();
  const plans = new Map<string, CompiledPlan[]>();
  const memory = new HeldMemory(device);
  let last: CompiledPlan | undefined;
  let profiler: Profiler | undefined;
  let traces = 0;

  /** The plan for such inputs, traced now if there is none that holds. */
  const find = (inputs: readonly CheckedInput[]): CompiledPlan => {
    const specs = inputs.map(specOf);
    const key = keyOf(specs);
    const known = plans.get(key) ?? [];
    let found = known.find(({ traced }) => holds(traced));
    if (found === undefined) {
      found = compilePlan(device, fn, specs, precision, (storages, compiling) =>
        memory.add(storages, compiling),
      );
      traces++;
      known.push(found);
      if (known.length > PLANS_KEPT) known.shift()?.release();
      plans.set(key, known);
    }
    checkRanges(found.traced, inputs);
    last = found;
    return found;
  };

  const check = (given: readonly StepInput[]): CheckedInput[] => {
    if (device.isTracing) {
      throw new Error(
        'a compiled function was called inside another: call the plain function that it was made from',
      );
    }
    return given.map((input, i) => checkInput(device, input, i));
  };

  // Not async: everything up to the device's queue happens before the call returns, so calls keep their order.
  const call = (...given: StepInput[]): Promise<Result> => {
    try {
      const inputs = check(given);
      // A failure marks the tensors it concerns, whose readers see it.
      device.flush().catch(() => undefined);
      return replay(device, find(inputs), inputs, profiler) as Promise<Result>;
    } catch (error) {
      return Promise.reject(asError(error));
    }
  };

  const members = {
    device,
    precision,
    prepare: (...given: StepInput[]): Promise<void> => {
      try {
        const inputs = check(given);
        device.flush().catch(() => undefined);
        const found = find(inputs);
        return device.runtime.queue.run(async () => {
          await bindPlan(device, found);
          device.runtime.gpu.throwIfLost();
        });
      } catch (error) {
        return Promise.reject(asError(error));
      }
    },
    encode: (encoder: GPUCommandEncoder, ...given: StepInput[]): Result => {
      const inputs = check(given);
      device.runtime.gpu.throwIfFailed();
      if (!device.recording.isEmpty)
        throw new Error('encode: tensors were recorded that have not run: await device.sync() before');
      const found = find(inputs);
      if (found.bound === null || !device.runtime.queue.isIdle)
        throw new Error(
          'encode: this step is not ready for these inputs: await step.prepare(...inputs) before',
        );
      return encodeCall(device, found, found.bound, inputs, encoder) as Result;
    },
    profile: (timer: Profiler | undefined) => {
      profiler = timer;
    },
    plan: (given: readonly StepInput[], options: CompiledPlanOptions = {}) => {
      device.flush().catch(() => undefined);
      const { target, gpu } = device.runtime;
      return planFunction(
        device,
        target,
        fn,
        given.map((input, i) => specOf(checkInput(device, input, i))),
        {
          fusion: options.fusion ?? device.fusion,
          precision,
          baked: gpu.bakesParams,
          onPlan: (plan) => {
            options.onPlan?.(plan);
            if (options.onDispatch !== undefined) plan.dispatches.forEach(options.onDispatch);
          },
        },
      );
    },
    statistics: () => {
      if (last === undefined)
        throw new Error('this compiled function has not been called, so it has no plan');
      return statisticsOf(last.traced.plan, device.runtime.gpu.bakesParams);
    },
    dispose: () => {
      collected.unregister(memory);
      memory.release();
      plans.clear();
    },
  };
  const compiled = Object.defineProperties(Object.assign(call, members), {
    traces: { get: () => traces },
    lastPlan: { get: () => last ?? null },
  }) as CompiledFunction<Result>;
  collected.register(compiled, memory, memory);
  return compiled;
}

function precisionOf(device: CompilingDevice, options: CompileOptions): Precision {
  const { precision = 'f32' } = checkOptions('compile', options, COMPILE_OPTIONS);
  const { geometry, description, log } = device.runtime.gpu;
  if (precision === 'f32' || geometry.f16) return precision;
  log(`${description.name} has no shader-f16: precision 'f16' is taken as 'f32'`);
  return 'f32';
}

const collected = new FinalizationRegistry<HeldMemory>((memory) => memory.release());

/** Storages and programs of a function's plans. It does not lead to the function, which may be collected. */
class HeldMemory {
  readonly #device: CompilingDevice;
  readonly #entries = new Set<HeldPlan>();

  constructor(device: CompilingDevice) {
    this.#device = device;
  }

  /** Gives a function that gives a plan's memory back. */
  add(storages: readonly LogicalStorage[], compiling: Promise<Program>): () => void {
    const entry = { storages, compiling };
    this.#entries.add(entry);
    return () => this.#drop(entry);
  }

  release(): void {
    for (const entry of [...this.#entries]) this.#drop(entry);
  }

  #drop(entry: HeldPlan): void {
    if (!this.#entries.delete(entry)) return;
    for (const storage of entry.storages) this.#device.release(storage);
    void this.#device.runtime.queue.run(() =>
      entry.compiling.then(
        (program) => program.destroy(),
        () => undefined,
      ),
    );
  }
}

interface HeldPlan {
  readonly storages: readonly LogicalStorage[];
  readonly compiling: Promise<Program>;
}
