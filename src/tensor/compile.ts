import type { Dispatch } from '../gpu/dispatch.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { Program } from '../gpu/program.ts';
import { asError } from './graph/errors.ts';
import { checkRange, rangeOf } from './graph/range.ts';
import { WHY_GRADIENT_GONE, type RecordingDevice } from './graph/recording_device.ts';
import { LogicalStorage } from './graph/storage.ts';
import { Tensor } from './graph/tensor.ts';
import { Value } from './graph/value.ts';
import { acceptPlan, type Plan } from './plan/plan.ts';
import { statisticsOf, type PlanStatistics } from './plan/statistics.ts';
import { BoundPlan, type Runtime } from './runtime/runtime.ts';
import {
  checkInput,
  heldStorages,
  keyOf,
  planFunction,
  specOf,
  traceFunction,
  type CheckedInput,
  type InputSpec,
  type StepInput,
  type StepResult,
  type TracedFunction,
} from './trace.ts';

/** Results of this many calls stay readable; older ones are overwritten. */
const RESULTS_KEPT = 4;

/** Plans kept for one set of input shapes; beyond that the oldest is given back. */
const PLANS_KEPT = 8;

/**
 * A recorded function. The first call for each set of input shapes traces and plans it; later calls replay the plan: no buffer,
 * bind group or pipeline is made, and there is one submit. Host code inside runs at tracing only, so conditions on plain
 * variables are decided then; training mode, requiresGrad, gradients that are there or not and the state of optimisers are
 * watched, and a change traces anew. Results stay valid for the next `RESULTS_KEPT - 1` calls.
 */
export interface CompiledFunction<Result extends StepResult> {
  (...inputs: StepInput[]): Promise<Result>;
  /** Of the plan that ran last. Throws an Error before the first call. */
  statistics(): PlanStatistics;
  /** What a call with such inputs would do; nothing is run, and everything is left as it was. */
  plan(inputs: readonly StepInput[], options?: CompiledPlanOptions): PlanStatistics;
  /** Times the dispatches of the calls that follow, until it is called with undefined. */
  profile(profiler: Profiler | undefined): void;
  /** How often the function was traced, that is planned anew. */
  readonly traces: number;
  /** Gives the memory back; also done when the function is collected. */
  dispose(): void;
}

interface CompiledPlanOptions {
  /** Default: as the device has it. */
  readonly fusion?: boolean;
  /** Is shown each dispatch, in order. */
  readonly onDispatch?: (dispatch: Dispatch) => void;
  /** Is shown the whole plan. */
  readonly onPlan?: (plan: Plan) => void;
}

type CompilingDevice = RecordingDevice & { readonly runtime: Runtime; readonly fusion: boolean };

/** A traced function at work. */
interface CompiledPlan {
  readonly traced: TracedFunction;
  readonly compiling: Promise<Program>;
  /** Null until the first replay has awaited the program. */
  bound: BoundPlan | null;
  /** For each result a ring of storages that it is copied to, so that a late reader finds it. */
  readonly rings: ReadonlyMap<Tensor, readonly LogicalStorage[]>;
  turn: number;
  /** Gives the memory back. */
  readonly release: () => void;
}

export function compileFunction<Result extends StepResult>(
  device: CompilingDevice,
  fn: (...inputs: Tensor[]) => Result,
): CompiledFunction<Result> {
  const plans = new Map<string, CompiledPlan[]>();
  const memory = new HeldMemory(device);
  let last: CompiledPlan | undefined;
  let profiler: Profiler | undefined;
  let traces = 0;

  // Not async: everything up to the device's queue happens before the call returns, so calls keep their order.
  const call = (...given: StepInput[]): Promise<Result> => {
    try {
      if (device.isTracing) {
        throw new Error(
          'a compiled function was called inside another: call the plain function that it was made from',
        );
      }
      // A failure marks the tensors it concerns, whose readers see it.
      device.flush().catch(() => undefined);
      const inputs = given.map((input, i) => checkInput(device, input, i));
      const specs = inputs.map(specOf);
      const key = keyOf(specs);
      const known = plans.get(key) ?? [];
      let found = known.find(({ traced }) => holds(traced));
      if (found === undefined) {
        found = compilePlan(device, memory, fn, specs);
        traces++;
        known.push(found);
        if (known.length > PLANS_KEPT) known.shift()?.release();
        plans.set(key, known);
      }
      checkRanges(found.traced, inputs);
      last = found;
      return replay(device, found, inputs, profiler) as Promise<Result>;
    } catch (error) {
      return Promise.reject(asError(error));
    }
  };

  const members = {
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
  const compiled = Object.defineProperty(Object.assign(call, members), 'traces', {
    get: () => traces,
  }) as CompiledFunction<Result>;
  collected.register(compiled, memory, memory);
  return compiled;
}

function compilePlan(
  device: CompilingDevice,
  memory: HeldMemory,
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly InputSpec[],
): CompiledPlan {
  const { target, gpu } = device.runtime;
  const traced = traceFunction(device, target, fn, inputs, device.fusion);
  acceptPlan(traced.plan);
  const rings = new Map(
    [...traced.outputs].map(([tensor, { storage, label }]) => [
      tensor,
      Array.from({ length: RESULTS_KEPT }, () => {
        const copy = new LogicalStorage(storage.dtype, storage.length, `result ${label}`, 'result');
        copy.resident = true;
        copy.handles++;
        return copy;
      }),
    ]),
  );
  const compiling = Program.compile(gpu, traced.plan.dispatches);
  compiling.catch(() => undefined); // the first replay awaits it and reports
  const release = memory.add([...heldStorages(traced), ...[...rings.values()].flat()], compiling);
  return { traced, compiling, bound: null, rings, turn: 0, release };
}

/** True where tracing would now give the same recording, and what it was planned for has stayed. */
function holds({ plan, entry, host, guards }: TracedFunction): boolean {
  for (const [leaf, storage] of entry) {
    if (storage !== 'any' && (leaf.grad?.value.storage ?? null) !== storage) return false;
  }
  for (const [storage, pool] of plan.captured) if (storage.pool !== pool) return false;
  return host.holds() && guards.every((guard) => guard());
}

/** Refuses class labels and indices that the host knows to be out of range. */
function checkRanges({ ranges }: TracedFunction, inputs: readonly CheckedInput[]): void {
  for (const { input, end, what } of ranges) {
    const source = inputs[input];
    if (source === undefined) continue;
    const range = source instanceof Tensor ? source.value.range : rangeOf(source.data);
    if (range !== null) checkRange(range, end, what);
  }
}

function replay(
  device: CompilingDevice,
  compiled: CompiledPlan,
  inputs: readonly CheckedInput[],
  profiler: Profiler | undefined,
): Promise<StepResult> {
  const { runtime } = device;
  const { traced, rings } = compiled;
  const scalars = device.prepareRun(traced.hooks);
  traced.host.replay();
  setGradients(device, traced);
  const turn = compiled.turn++ % RESULTS_KEPT;
  const result = handOut(device, compiled, turn);
  const now = compiled.bound !== null && runtime.queue.isIdle;
  const sources = inputs.map((input) => {
    if (input instanceof Tensor) return new Tensor(device, input.value);
    // The caller may change the array before the queue gets to it.
    return now ? input : { ...input, data: input.data.slice() };
  });
  const run = (bound: BoundPlan): StepResult => {
    for (const storage of [...traced.inputs, ...[...rings.values()].flatMap((ring) => ring[turn] ?? [])])
      runtime.memory.allocate(storage);
    bound.bind();
    runtime.uploadScalars(scalars);
    bound.run({
      before: (encoder) => sources.forEach((source, i) => feed(runtime, encoder, source, traced.inputs[i])),
      after: (encoder) => {
        for (const [tensor, { storage }] of traced.outputs) {
          const to = rings.get(tensor)?.[turn];
          if (to !== undefined) runtime.copy(encoder, storage, to);
        }
      },
      profiler,
    });
    for (const source of sources) if (source instanceof Tensor) source.dispose();
    return result;
  };
  return runtime.queue.run(() => {
    if (compiled.bound !== null) return run(compiled.bound);
    return compiled.compiling.then((program) => {
      compiled.bound = new BoundPlan(runtime, traced.plan, program);
      return run(compiled.bound);
    });
  });
}

/** Does on the host what a run does to storages, and leaves the leaves' gradients as tracing did. */
function setGradients(device: RecordingDevice, { claimed, changed, exit }: TracedFunction): void {
  for (const storage of claimed) storage.claim(WHY_GRADIENT_GONE);
  for (const storage of changed) storage.version++;
  const fresh = new Set(claimed);
  for (const [leaf, storage] of exit) {
    const { grad } = leaf;
    if (storage === null) {
      if (grad !== null) leaf.replaceGrad(null);
    } else if (fresh.has(storage) || grad?.value.storage !== storage)
      leaf.replaceGrad(new Tensor(device, new Value(leaf.shape, storage)));
  }
}

/** New tensors for the results of this turn; those of RESULTS_KEPT turns ago become unreadable. */
function handOut(device: RecordingDevice, { traced, rings }: CompiledPlan, turn: number): StepResult {
  const fresh = new Map<Tensor, Tensor>();
  for (const [tensor, ring] of rings) {
    const storage = ring[turn];
    if (storage === undefined) continue;
    storage.claim(
      `was overwritten ${RESULTS_KEPT} calls of its compiled function later; read it sooner or clone it`,
    );
    fresh.set(tensor, new Tensor(device, new Value(tensor.shape, storage)));
  }
  return substitute(traced.result, fresh) as StepResult;
}

function substitute(value: unknown, fresh: ReadonlyMap<Tensor, Tensor>): unknown {
  if (value instanceof Tensor) return fresh.get(value);
  if (Array.isArray(value)) return value.map((item) => substitute(item, fresh));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, fresh)]));
  }
  return value;
}

function feed(
  runtime: Runtime,
  encoder: GPUCommandEncoder,
  source: CheckedInput,
  to: LogicalStorage | undefined,
): void {
  if (to === undefined) throw new Error('a compiled function got more inputs than it was traced with');
  if (!(source instanceof Tensor)) {
    runtime.upload(to, source.data);
    return;
  }
  const { value } = source;
  if (value.failure !== null) throw value.failure;
  runtime.copy(encoder, value.storage, to);
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
