import type { BufferRef, DType, Dispatch } from '../gpu/dispatch.ts';
import type { KernelContext } from '../kernels/context.ts';
import { recordNode } from './recording.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** What an op's lowering sees of one recorded use of it. */
export interface Lowering<Attrs> {
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

/** Appends one use of an op to the recording of its inputs' device; gives its outputs, with no gradient history. */
export function record<Attrs>(
  op: Op<Attrs>,
  inputs: readonly Tensor[],
  outputs: readonly OutputSpec[],
  attrs: Attrs,
): Tensor[] {
  return recordNode(op, inputs, outputs, attrs);
}

/** The same for the usual op with one output. */
export function recordOne<Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], output: OutputSpec, attrs: Attrs): Tensor {
  const [result] = record(op, inputs, [output], attrs);
  if (result === undefined) throw new Error(`op ${op.name} made no output`);
  return result;
}
