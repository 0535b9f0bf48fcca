import { refuseForeign } from './graph/copies.ts';
import type { DType } from '../gpu/dispatch.ts';
import { isGradEnabled } from './graph/autograd.ts';
import { dtypeOfArray } from './graph/dtype.ts';
import { checkStepInput, type NestedNumbers, type StepData } from './graph/host_data.ts';
import type { HostTrace } from './graph/guards.ts';
import type { GradientAtEntry, Precision, Recording, RunHook } from './graph/recording.ts';
import type { RecordingDevice } from './graph/recording_device.ts';
import { tensorsIn } from './graph/scope.ts';
import { formatShape, type Shape } from './graph/shape.ts';
import type { LogicalStorage } from './graph/storage.ts';
import { Tensor } from './graph/tensor.ts';
import { Value } from './graph/value.ts';
import { isCurrent } from './plan/pack_weights.ts';
import { planNodes, type Plan } from './plan/plan.ts';
import { statisticsOf, type PlanStatistics } from './plan/statistics.ts';
import type { Target } from '../gpu/profile.ts';
import type { Tunable } from '../kernels/context.ts';

/** What a compiled function may return: a tensor, or tensors in an array or an object, or nothing. */
export type StepResult = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>> | undefined | void;

/** Input of a compiled function: a tensor, or host data to upload (anything that `device.tensor` takes). */
export type StepInput =
  Tensor | NestedNumbers | { readonly data: NestedNumbers; readonly shape?: Shape; readonly dtype?: DType };

/** An input that has been checked. */
export type CheckedInput = Tensor | StepData;

/** Elements of an input that an op takes: 0 <= element < end. */
interface InputRange {
  readonly input: number;
  readonly end: number;
  readonly what: string;
}

/** A function that has been recorded and planned, with all that replaying it depends on. */
export interface TracedFunction {
  readonly plan: Plan;
  readonly hooks: readonly RunHook[];
  readonly host: HostTrace;
  readonly guards: readonly (() => boolean)[];
  readonly inputs: readonly LogicalStorage[];
  readonly ranges: readonly InputRange[];
  readonly result: StepResult;
  /** Values of the result's tensors. */
  readonly outputs: ReadonlyMap<Tensor, Value>;
  /** Gradients of leaves as the recording found them, and as it leaves them. */
  readonly entry: ReadonlyMap<Tensor, GradientAtEntry>;
  readonly exit: ReadonlyMap<Tensor, LogicalStorage | null>;
  /** Work of the plan whose geometry can be chosen by measuring. */
  readonly tunables: readonly Tunable[];
  /** Storages that each run gives to new elements, and those that it changes in place. */
  readonly claimed: readonly LogicalStorage[];
  readonly changed: readonly LogicalStorage[];
}

/** Throws a TypeError or RangeError that names the input where it is none, or its data does not fit its shape. */
export function checkInput(device: RecordingDevice, input: StepInput, index: number): CheckedInput {
  refuseForeign(`input ${index} of a compiled function`, input);
  if (!(input instanceof Tensor)) return checkStepInput(input, index);
  if (input.recorder !== device)
    throw new Error(`input ${index} of a compiled function lies on another device than the function`);
  return input;
}

/** What a plan depends on of an input. */
export interface InputSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

export const specOf = (input: CheckedInput): InputSpec => ({
  shape: input.shape,
  dtype: input instanceof Tensor ? input.dtype : dtypeOfArray(input.data),
});

/** Names the inputs' shapes and types, and whether gradients are recorded. */
export const keyOf = (inputs: readonly InputSpec[]): string =>
  [
    isGradEnabled() ? 'grad' : 'no grad',
    ...inputs.map(({ dtype, shape }) => `${dtype}${formatShape(shape)}`),
  ].join();

/** Tensors that stand for the inputs; the runtime gives them memory when the plan is bound. */
function inputTensors(device: RecordingDevice, inputs: readonly InputSpec[]): Tensor[] {
  return inputs.map(({ dtype, shape }) => {
    const value = Value.create(dtype, shape, 'input', 'input');
    value.storage.resident = true;
    return new Tensor(device, value);
  });
}

/** Throws an Error where a compiled function gives a tensor that it cannot hand out. */
function checkedResult(device: RecordingDevice, result: StepResult): StepResult {
  const parts: readonly unknown[] =
    typeof result === 'object' && !(result instanceof Tensor) ? Object.values(result) : [result];
  for (const part of parts) refuseForeign('the result of a compiled function', part);
  if (tensorsIn(result).some(({ recorder }) => recorder !== device))
    throw new Error('the result of a compiled function lies on another device than the function');
  return result;
}

/**
 * Traces `fn` on tensors like the inputs and plans it. Each storage that the plan touches gets a handle. If `fn` throws or cannot
 * be planned, everything is left as it was.
 */
export function traceFunction(
  device: RecordingDevice,
  target: Target,
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly InputSpec[],
  { fusion, precision }: Pick<PlanOptions, 'fusion' | 'precision'>,
): TracedFunction {
  const slots = inputTensors(device, inputs);
  const storages = slots.map(({ value }) => value.storage);
  for (const storage of storages) storage.handles++;
  const { result, made, recording } = device.trace(() => checkedResult(device, fn(...slots)), precision);
  const tunables: Tunable[] = [];
  let plan: Plan;
  try {
    const onTunable = (tunable: Tunable): unknown => tunables.push(tunable);
    plan = planNodes(target, recording.nodes, { fusion, precision, onTunable });
  } catch (error) {
    device.undo(recording);
    device.abandon(recording, error);
    throw error;
  }
  const outputs = new Map(tensorsIn(result).map((tensor) => [tensor, tensor.value]));
  for (const { storage } of outputs.values()) storage.handles++;
  for (const storage of [...plan.captured.keys(), ...plan.made.keys()]) storage.handles++;
  const exit = new Map(
    [...recording.gradientsAtEntry.keys()].map((leaf) => [leaf, leaf.grad?.value.storage ?? null] as const),
  );
  if (plan.packed.length > 0) recording.guards.push(() => isCurrent(plan.packed));
  device.settle(recording);
  device.finishUses(recording.nodes);
  for (const tensor of [...slots, ...made]) tensor.dispose();
  return {
    plan,
    hooks: recording.hooks,
    host: recording.host,
    guards: recording.guards,
    inputs: storages,
    ranges: inputRanges(recording, storages),
    result,
    outputs,
    tunables,
    entry: recording.gradientsAtEntry,
    exit,
    claimed: [...recording.claimed.keys()],
    changed: [...recording.changed],
  };
}

function inputRanges({ ranges }: Recording, inputs: readonly LogicalStorage[]): InputRange[] {
  return ranges.flatMap(({ value, end, what }) => {
    const input = inputs.indexOf(value.storage);
    return input < 0 ? [] : [{ input, end, what }];
  });
}

/** Every storage that a traced function holds a handle on. */
export const heldStorages = ({ plan, inputs, outputs }: TracedFunction): LogicalStorage[] => [
  ...plan.captured.keys(),
  ...plan.made.keys(),
  ...inputs,
  ...[...outputs.values()].map(({ storage }) => storage),
];

export interface PlanOptions {
  /** False plans each op by itself. */
  readonly fusion: boolean;
  readonly precision: Precision;
  /** Whether the device compiles parameters into kernels. */
  readonly baked: boolean;
  /** Is shown the plan. @internal */
  readonly onPlan?: (plan: Plan) => void;
}

/** Traces and plans `fn`, and leaves everything as it was. */
export function planFunction(
  device: RecordingDevice,
  target: Target,
  fn: (...inputs: Tensor[]) => StepResult,
  inputs: readonly InputSpec[],
  { fusion, precision, baked, onPlan }: PlanOptions,
): PlanStatistics {
  const slots = inputTensors(device, inputs);
  const { made, recording } = device.trace(() => fn(...slots), precision);
  try {
    const plan = planNodes(target, recording.nodes, { fusion, precision });
    onPlan?.(plan);
    return statisticsOf(plan, baked);
  } finally {
    device.undo(recording);
    device.finishUses(recording.nodes);
    for (const tensor of [...slots, ...made]) tensor.dispose();
  }
}
