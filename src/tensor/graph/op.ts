import type { BufferRef, DType, Dispatch } from '../../gpu/dispatch.ts';
import type { KernelContext } from '../../kernels/context.ts';
import type { Device } from '../device.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** What an op's lowering sees of one recorded use of it. */
interface Lowering<Attrs> {
  readonly inputs: readonly BufferRef[];
  readonly outputs: readonly BufferRef[];
  readonly attrs: Attrs;
}

/**
 * A kind of recorded operation. Recording an op runs nothing; the planner asks `lower` for dispatches later, so
 * that it can first rewrite the recording (`node.op === conv2dOp`).
 */
export interface Op<Attrs> {
  readonly name: string;
  /** Indices of inputs that the op changes in place (running statistics, parameters); none by default. */
  readonly mutates?: readonly number[];
  lower(context: KernelContext, node: Lowering<Attrs>): readonly Dispatch[];
}

export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
}

/**
 * Appends one use of an op to the recording of its inputs' device; gives its outputs, with no gradient history.
 * Throws an Error if the inputs lie on different devices.
 */
export function record<Attrs>(
  op: Op<Attrs>,
  inputs: readonly Tensor[],
  outputs: readonly OutputSpec[],
  attrs: Attrs,
): Tensor[] {
  const device = inputs[0]?.device;
  if (device === undefined)
    throw new Error(`op ${op.name} has no input to tell the device from: use createOn`);
  if (inputs.some((input) => input.device !== device)) {
    throw new Error(`${op.name}: the tensors lie on different devices`);
  }
  return device.record(op, inputs, outputs, attrs);
}

/** The same for the usual op with one output. */
export function recordOne<Attrs>(
  op: Op<Attrs>,
  inputs: readonly Tensor[],
  output: OutputSpec,
  attrs: Attrs,
): Tensor {
  return only(record(op, inputs, [output], attrs));
}

/** For ops that make a tensor out of nothing: constants, random numbers. */
export function createOn<Attrs>(device: Device, op: Op<Attrs>, output: OutputSpec, attrs: Attrs): Tensor {
  return only(device.record(op, [], [output], attrs));
}

function only(tensors: readonly Tensor[]): Tensor {
  const [tensor] = tensors;
  if (tensor === undefined) throw new Error('an op was recorded without its output');
  return tensor;
}
