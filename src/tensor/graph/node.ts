import type { BufferRef, DType, Dispatch } from '../../gpu/dispatch.ts';
import type { KernelContext } from '../../kernels/context.ts';
import type { Shape } from './shape.ts';
import type { Value } from './value.ts';

/** What an op's lowering sees of one recorded use of it. */
interface Lowering<Attrs> {
  readonly inputs: readonly BufferRef[];
  readonly outputs: readonly BufferRef[];
  readonly attrs: Attrs;
}

/**
 * Inputs and outputs of an op, all or by their indices, whose elements may be rounded to f16 and whose range f16 has (up to 65504), as
 * in PyTorch's autocast.
 */
export type HalfRule =
  'all' | { readonly inputs?: 'all' | readonly number[]; readonly outputs?: 'all' | readonly number[] };

/**
 * A kind of recorded operation. Recording an op runs nothing; the planner asks `lower` for dispatches later, so
 * that it can first rewrite the recording (`node.op === conv2dOp`).
 */
export interface Op<Attrs> {
  readonly name: string;
  /** Indices of inputs that the op changes in place (running statistics, parameters); none by default. */
  readonly mutates?: readonly number[];
  /** What may be stored as f16 where a plan has that precision; nothing by default. */
  readonly half?: HalfRule;
  /** Operands of a product, which runs on matrix units where both are stored as f16. */
  readonly product?: readonly [number, number];
  /** An update of its first input that also writes a copy of it as f16, if it is given one as the attribute `packed`. */
  readonly updatesCopy?: true;
  lower(context: KernelContext, node: Lowering<Attrs>): readonly Dispatch[];
}

export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype?: DType;
}

/** One recorded use of an op. Attrs are the op's own business: `node.op === conv2dOp` tells their type. */
export interface RecordedNode {
  readonly op: Op<never>;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: unknown;
}
