import type { Op } from './op.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';
import type { Value } from './value.ts';

/** One recorded use of an op. Attrs are the op's own business: `node.op === conv2dOp` tells their type. */
export interface RecordedNode {
  readonly op: Op<never>;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: unknown;
}

/** Shapes of a node's inputs and outputs. */
interface NodeShapes {
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
}

/** The gradient that a leaf had when a recording began; `any` where the recording clears it first. */
export type GradientAtEntry = Value | null | 'any';

/** Called on the host before each run of a recording, to set per-step scalars such as the learning rate. */
export type RunHook = () => void;

/** What happened since the last run, in order. Nothing of it has reached the device. */
export class Recording {
  readonly nodes: RecordedNode[] = [];
  /** Of the tensors of each node, which see their values in any shape. */
  readonly shapes = new Map<RecordedNode, NodeShapes>();
  readonly hooks: RunHook[] = [];
  /** Leaves whose gradient was read or changed here, with what they came in with. */
  readonly gradientsAtEntry = new Map<Tensor, GradientAtEntry>();
  /** Values with a place in `nodes` that do not have their elements yet. */
  readonly pending = new Set<Value>();
  /** Numbers the random ops, so that each draws from a stream of its own. */
  randomOps = 0;

  get isEmpty(): boolean {
    return this.nodes.length === 0 && this.hooks.length === 0;
  }
}
