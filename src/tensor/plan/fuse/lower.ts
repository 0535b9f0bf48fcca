import type { Op } from '../../graph/node.ts';
import { conv2dDataOp, conv2dOp, conv2dWeightOp } from '../../ops/conv.ts';
import { concatOp } from '../../ops/movement.ts';
import { applyOp, batchStatsOp, runningStatsOp, sumsOp, trackedStatsOp } from '../../ops/norm.ts';
import { readPartOp } from '../../ops/parts.ts';
import { avgPoolBackwardOp, avgPoolOp, maxPoolOp } from '../../ops/pool.ts';
import { dropoutOp } from '../../ops/random.ts';
import { RELU_OPS } from '../../ops/unary.ts';
import type { RecordedNode } from '../../graph/node.ts';
import type { Lowering } from '../lowering.ts';
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

/** Lowers a node fused with others. False if fusion gains nothing: the node is then lowered by itself. */
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
 * Lowers nodes in their order, with fusion: convolutions apply batch norm and ReLU in their loads and compute statistics and
 * norms' gradients in their epilogues, concatenations move nothing, averages go before 1x1 convolutions. The recording alone
 * decides what is fused; nets do not know of it. The result differs from that of unfused lowering by rounding only.
 */
export const lowerFused: Lowering = (nodes, contextOf, lowerOne) => {
  const fusion = new Fusion(nodes, contextOf, lowerOne);
  for (const node of nodes) {
    if (fusion.done.has(node)) continue;
    fusion.begin(node);
    const rule = RULES.get(node.op);
    if (rule === undefined || !rule(fusion, node)) fusion.plain(node);
  }
  return fusion.dispatches;
};
