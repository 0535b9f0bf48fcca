import type { Dispatch } from '../../gpu/dispatch.ts';
import type { KernelContext } from '../../kernels/context.ts';
import type { RecordedNode } from '../graph/node.ts';

type LowerOne = (node: RecordedNode) => readonly Dispatch[];

/** Lowers nodes in their order to dispatches. `lowerOne` lowers a node by itself. */
export type Lowering = (
  nodes: readonly RecordedNode[],
  contextOf: (node: RecordedNode) => KernelContext,
  lowerOne: LowerOne,
) => readonly Dispatch[];

/** Lowers each node by itself. */
export const lowerEach: Lowering = (nodes, _, lowerOne) =>
  nodes.flatMap((node, i) =>
    lowerOne(node).map((dispatch) => ({ ...dispatch, origin: { nodes: [i], why: [] } })),
  );

let fused: Lowering = lowerEach;

/** The lowering with fusion; that of each node by itself until `installFusedLowering` is called. */
export const lowerFused: Lowering = (...args) => fused(...args);

export function installFusedLowering(lowering: Lowering): void {
  fused = lowering;
}
