import type { Dispatch, DType } from '../gpu/dispatch.ts';
import { alignUp, type Storage } from '../gpu/storage.ts';
import { Heap } from '../gpu/heap.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { Program } from '../gpu/program.ts';
import { releaseHistory } from './graph/autograd.ts';
import type { Device } from './device.ts';
import { dtypeOfArray } from './graph/dtype.ts';
import { asError } from './graph/errors.ts';
import { planNodes, type Plan } from './plan/plan.ts';
import { statisticsOf, type PlanStatistics } from './plan/statistics.ts';
import type { GradientAtEntry, RunHook } from './graph/recording.ts';
import { tensorsIn } from './graph/scope.ts';
import { elementCount, formatShape, type Shape } from './graph/shape.ts';
import { Tensor, type TypedArray } from './graph/tensor.ts';
import { Value, type Place } from './graph/value.ts';

/** What a compiled function may return: a tensor, or tensors in an array or an object, or nothing. */
export type StepResult = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | undefined | void;

/** What it takes: tensors, or plain data that is uploaded to where the plan wants it. */
export type StepInput = Tensor | { readonly data: TypedArray; readonly shape: Shape };

/** Results of this many calls stay readable; older ones are overwritten. */
const RESULTS_KEPT = 4;

/**
 * A recorded step. The first call for each set of input shapes traces and plans it; later calls replay the plan:
 * no buffer, bind group or pipeline is made, and there is one submit. Host code inside the function, conditions and
 * `train()` or `eval()` included, runs at tracing only. Results stay valid for the next `RESULTS_KEPT - 1` calls.
 */
export interface CompiledFunction<Result extends StepResult> {
  (...inputs: StepInput[]): Promise<Result>;
  /** Of the plan that ran last. Throws an Error before the first call. */
  statistics(): PlanStatistics;
  /** What a call with such inputs would do; nothing is run. */
  plan(inputs: readonly StepInput[], options?: PlanOptions): PlanStatistics;
  /** Times the dispatches of the calls that follow, until it is called with undefined. */
  profile(profiler: Profiler | undefined): void;
  /** How often the function was traced, that is planned anew. */
  readonly traces: number;
  dispose(): void;
}

interface PlanOptions {
  /** Default: as the device has it. */
  readonly fusion?: boolean;
  /** Is shown each dispatch, in order. */
  readonly onDispatch?: (dispatch: Dispatch) => void;
}

interface OutputSlot {
  readonly source: Value;
  readonly shape: Shape;
  /** Ring of places that results are copied to, so that a late reader finds them. */
  readonly ring: readonly Place[];
  readonly handedOut: (Tensor | undefined)[];
}

interface CompiledPlan {
  readonly plan: Plan;
  readonly compiling: Promise<Program>;
  /** Null until the first replay has awaited it. */
  program: Program | null;
  readonly hooks: readonly RunHook[];
  readonly inputs: readonly Tensor[];
  readonly result: StepResult;
  readonly outputs: ReadonlyMap<Tensor, OutputSlot>;
  readonly entry: ReadonlyMap<Tensor, GradientAtEntry>;
  readonly exit: ReadonlyMap<Tensor, { value: Value; shape: Shape } | null>;
  /** Places that the bind groups were made for; a parameter that moved since makes them stale. */
  readonly boundPlaces: Map<Value, Storage>;
  boundGeneration: number;
  turn: number;
}

export function compileFunction<Result extends StepResult>(
  device: Device,
  fn: (...inputs: Tensor[]) => Result,
): CompiledFunction<Result> {
  const plans = new Map<string, CompiledPlan[]>();
  const heaps = {
    inputs: new Heap(device.gpu, 'inputs of a compiled step', 64 * 1024),
    results: new Heap(device.gpu, 'results of a compiled step', 64 * 1024),
  };
  let last: CompiledPlan | undefined;
  let profiler: Profiler | undefined;
  let traces = 0;

  // Not async: everything up to the device's queue happens before the call returns, so calls keep their order.
  const call = (...inputs: StepInput[]): Promise<Result> => {
    try {
      // A failure marks the tensors it concerns, whose readers see it.
      device.flush().catch(() => undefined);
      const key = inputs.map((input) => `${dtypeOf(input)}${formatShape(input.shape)}`).join();
      let found = plans.get(key)?.find(entryMatches);
      if (found === undefined) {
        found = trace(device, heaps, fn, inputs);
        traces++;
        plans.set(key, [...(plans.get(key) ?? []), found]);
      }
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
    plan: (inputs: readonly StepInput[], options: PlanOptions = {}) => {
      device.flush().catch(() => undefined);
      return planOnly(device, heaps.inputs, fn, inputs, options);
    },
    statistics: () => {
      if (last === undefined)
        throw new Error('this compiled function has not been called, so it has no plan');
      return statisticsOf(last.plan, device.gpu.pipelines);
    },
    dispose: () => {
      for (const compiled of [...plans.values()].flat()) release(device, compiled);
      plans.clear();
      void device.queue.run(() => {
        heaps.inputs.destroy();
        heaps.results.destroy();
      });
    },
  };
  return Object.defineProperty(Object.assign(call, members), 'traces', {
    get: () => traces,
  }) as CompiledFunction<Result>;
}

const dtypeOf = (input: StepInput): DType =>
  input instanceof Tensor ? input.dtype : dtypeOfArray(input.data);

function inputSlots(device: Device, heap: Heap, inputs: readonly StepInput[]): Tensor[] {
  return inputs.map((input) => {
    const value = new Value(dtypeOf(input), elementCount(input.shape), `input ${formatShape(input.shape)}`);
    value.place = { storage: heap.allocate(value.bytes, value.label), heap };
    return new Tensor(device, value, input.shape);
  });
}

/** Traces and plans `fn`, and leaves everything as it was. */
function planOnly(
  device: Device,
  heap: Heap,
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly StepInput[],
  { fusion = device.fusion, onDispatch }: PlanOptions,
): PlanStatistics {
  const slots = inputSlots(device, heap, inputs);
  const { result, recording } = device.trace(() => device.scope(() => fn(...slots)));
  for (const tensor of tensorsIn(result)) releaseHistory(tensor);
  const plan = planNodes(device.gpu, recording.nodes, device.keptHeaps, { fusion });
  if (onDispatch !== undefined) plan.dispatches.forEach(onDispatch);
  // Before anything is given back: places tell what is from before the plan.
  const statistics = statisticsOf(plan, device.gpu.pipelines);
  for (const [leaf, before] of recording.gradientsAtEntry) {
    const found = before === 'any' ? null : before;
    if ((leaf.grad?.value ?? null) === found) continue;
    leaf.grad?.dispose();
    leaf.grad = found === null ? null : new Tensor(device, found, leaf.shape);
  }
  device.finishUses(recording.nodes);
  for (const tensor of [...slots, ...tensorsIn(result)]) tensor.dispose();
  return statistics;
}

/** Traces `fn` on tensors of the inputs' shapes and plans it; its pipelines begin to compile. */
function trace(
  device: Device,
  heaps: { readonly inputs: Heap; readonly results: Heap },
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly StepInput[],
): CompiledPlan {
  const slots = inputSlots(device, heaps.inputs, inputs);
  const { result, recording } = device.trace(() => device.scope(() => fn(...slots)));
  for (const tensor of tensorsIn(result)) releaseHistory(tensor);
  const plan = planNodes(device.gpu, recording.nodes, device.keptHeaps, device);
  // What the plan touches must stay where it is for as long as the plan lives.
  for (const value of [...plan.captured, ...plan.kept]) value.handles++;
  device.finishUses(recording.nodes);
  const exit = new Map(
    [...recording.gradientsAtEntry.keys()].map((leaf) => {
      const { grad } = leaf;
      return [leaf, grad === null ? null : { value: grad.value, shape: grad.shape }] as const;
    }),
  );
  const outputs = new Map(
    tensorsIn(result).map((tensor): [Tensor, OutputSlot] => {
      const source = tensor.value;
      const ring = Array.from({ length: RESULTS_KEPT }, () => ({
        storage: heaps.results.allocate(source.bytes, source.label),
        heap: null,
      }));
      return [tensor, { source, shape: tensor.shape, ring, handedOut: [] }];
    }),
  );
  const compiling = Program.compile(device.gpu, plan.dispatches);
  compiling.catch(() => undefined); // the first replay awaits it and reports
  return {
    plan,
    compiling,
    program: null,
    hooks: recording.hooks,
    inputs: slots,
    result,
    outputs,
    entry: recording.gradientsAtEntry,
    exit,
    boundPlaces: new Map(),
    boundGeneration: -1,
    turn: 0,
  };
}

/** True where each leaf's gradient lies where it lay when the plan was traced, as far as the plan depends on it. */
function entryMatches({ entry }: CompiledPlan): boolean {
  for (const [leaf, value] of entry) {
    if (value !== 'any' && leaf.grad?.value.place?.storage !== value?.place?.storage) return false;
  }
  return true;
}

function replay(
  device: Device,
  compiled: CompiledPlan,
  inputs: readonly StepInput[],
  profiler: Profiler | undefined,
): Promise<StepResult> {
  const scalars = device.prepareRun(compiled.hooks);
  setGradients(device, compiled);
  const turn = compiled.turn++ % RESULTS_KEPT;
  const result = handOut(device, compiled, turn);
  const sources = inputs.map((input) => (input instanceof Tensor ? input.detach() : input));
  const run = (program: Program): StepResult => {
    bindIfMoved(device, compiled, program);
    device.scalars.upload(device.gpu, scalars);
    program.run({
      before: (encoder) => sources.forEach((source, i) => feed(device, encoder, source, compiled.inputs[i])),
      after: (encoder) => {
        for (const { source, ring } of compiled.outputs.values()) {
          if (source.place && ring[turn])
            copyStorage(encoder, source.place.storage, ring[turn].storage, source);
        }
      },
      profiler,
    });
    for (const source of sources) if (source instanceof Tensor) source.dispose();
    return result;
  };
  return device.queue.run(() => {
    if (compiled.program !== null) return run(compiled.program);
    return compiled.compiling.then((program) => run((compiled.program = program)));
  });
}

/** Leaves the leaves' gradients as tracing did. */
function setGradients(device: Device, { exit }: CompiledPlan): void {
  for (const [leaf, gradient] of exit) {
    if ((leaf.grad?.value ?? null) === (gradient?.value ?? null)) continue;
    leaf.grad?.dispose();
    leaf.grad = gradient === null ? null : new Tensor(device, gradient.value, gradient.shape);
  }
}

/** New tensors for the results of this turn; those of RESULTS_KEPT turns ago become unreadable. */
function handOut(device: Device, { result, outputs }: CompiledPlan, turn: number): StepResult {
  const fresh = new Map<Tensor, Tensor>();
  for (const [traced, { shape, ring, handedOut }] of outputs) {
    handedOut[turn]?.dispose(
      `was overwritten ${RESULTS_KEPT} calls of its compiled function later; read it sooner or clone it`,
    );
    const value = new Value(traced.dtype, elementCount(shape), `result ${formatShape(shape)}`);
    value.place = ring[turn] ?? null;
    const tensor = new Tensor(device, value, shape);
    handedOut[turn] = tensor;
    fresh.set(traced, tensor);
  }
  return substitute(result, fresh) as StepResult;
}

function substitute(value: unknown, fresh: ReadonlyMap<Tensor, Tensor>): unknown {
  if (value instanceof Tensor) return fresh.get(value);
  if (Array.isArray(value)) return value.map((item) => substitute(item, fresh));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substitute(item, fresh)]));
  }
  return value;
}

function bindIfMoved(device: Device, compiled: CompiledPlan, program: Program): void {
  const { plan, boundPlaces } = compiled;
  device.arenas.reserve(plan);
  let moved = compiled.boundGeneration !== device.arenas.generation;
  for (const value of plan.captured) moved ||= boundPlaces.get(value) !== value.place?.storage;
  if (!moved) return;
  program.bind((ref) => device.arenas.place(plan, ref), device.scalars.storage);
  for (const value of plan.captured) if (value.place !== null) boundPlaces.set(value, value.place.storage);
  compiled.boundGeneration = device.arenas.generation;
}

function feed(device: Device, encoder: GPUCommandEncoder, source: StepInput, slot: Tensor | undefined): void {
  const to = slot?.value.place?.storage;
  if (to === undefined) throw new Error('a compiled function got more inputs than it was traced with');
  if (!(source instanceof Tensor)) {
    device.gpu.upload(to, source.data as TypedArray & ArrayBufferView<ArrayBuffer>);
    return;
  }
  const { value } = source;
  if (value.place === null) throw value.failure ?? new Error(`input ${value.label} was never computed`);
  copyStorage(encoder, value.place.storage, to, value);
}

function copyStorage(encoder: GPUCommandEncoder, from: Storage, to: Storage, { bytes }: Value): void {
  encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, alignUp(bytes));
}

function release(device: Device, compiled: CompiledPlan): void {
  for (const tensor of compiled.inputs) tensor.dispose();
  for (const value of [...compiled.plan.captured, ...compiled.plan.kept]) device.release(value);
  for (const { handedOut } of compiled.outputs.values()) for (const tensor of handedOut) tensor?.dispose();
  for (const tensor of compiled.outputs.keys()) tensor.dispose();
  void device.queue.run(() => compiled.program?.destroy());
}
