import type { Dispatch } from '../../../gpu/dispatch.ts';
import type { KernelContext } from '../../../kernels/context.ts';
import type { Op } from '../../graph/node.ts';
import { conv2dDataOp, conv2dOp, conv2dWeightOp } from '../../ops/conv.ts';
import { concatOp } from '../../ops/movement.ts';
import { applyOp, batchStatsOp, runningStatsOp, sumsOp, trackedStatsOp } from '../../ops/norm.ts';
import { readPartOp } from '../../ops/parts.ts';
import { avgPoolBackwardOp, avgPoolOp, maxPoolOp } from '../../ops/pool.ts';
import { dropoutOp } from '../../ops/random.ts';
import { RELU_OPS } from '../../ops/unary.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { fuseAverage, fuseAverageBackward, fuseConv, fuseConvData, fuseConvWeight } from './conv_rules.ts';
import { Fusion } from './fusion.ts';
import {
  fuseApply,
  fuseDropout,
  fuseNormBackward,
  fuseRunningStatistics,
  fuseStatistics,
} from './norm_rules.ts';
import { fuseConcat, fuseSlice } from './part_rules.ts';
import { fuseMaxPool } from './pool_rules.ts';

/** Does a node's work its own way; false where it has nothing to gain, and the node is lowered as it stands. */
type Rule = (fusion: Fusion, node: RecordedNode) => boolean;

const RULES: ReadonlyMap<Op<never>, Rule> = new Map<Op<never>, Rule>([
  [conv2dOp, fuseConv],
  [conv2dDataOp, fuseConvData],
  [conv2dWeightOp, fuseConvWeight],
  [batchStatsOp, fuseStatistics],
  [trackedStatsOp, fuseStatistics],
  [runningStatsOp, fuseRunningStatistics],
  [applyOp, fuseApply],
  [dropoutOp, (fusion, node) => fuseDropout(fusion, node) || fuseNormBackward(fusion, node)],
  [sumsOp, fuseNormBackward],
  [RELU_OPS.backward, fuseNormBackward],
  [concatOp, fuseConcat],
  [readPartOp, fuseSlice],
  [maxPoolOp, fuseMaxPool],
  [avgPoolOp, fuseAverage],
  [avgPoolBackwardOp, fuseAverageBackward],
]);

/**
 * Lowers nodes in their order, with fusion: convolutions take batch norm and ReLU in their loads and give statistics and
 * norms' gradients in their epilogues, concatenations move nothing, averages go before 1x1 convolutions. Which of it
 * applies is decided from the recording alone; nets know nothing of it. The result differs from the lowering of each node by
 * itself in rounding only.
 */
export function lowerFused(
  nodes: readonly RecordedNode[],
  contextOf: (node: RecordedNode) => KernelContext,
  lower: (node: RecordedNode) => readonly Dispatch[],
): readonly Dispatch[] {
  const fusion = new Fusion(nodes, contextOf, lower);
  for (const node of nodes) {
    if (fusion.done.has(node)) continue;
    const rule = RULES.get(node.op);
    if (rule === undefined || !rule(fusion, node)) fusion.plain(node);
  }
  return fusion.dispatches;
}
