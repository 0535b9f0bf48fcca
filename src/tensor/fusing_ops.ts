/**
 * The ops with which fusion begins. Without one of them a fused plan is the plan of each op by itself (plan/fuse/), so these bring
 * the planner's fusion along, and a page that uses none of them does not load it. Import them from here, not from ops/.
 */
import { concat as concatAlone, stack as stackAlone } from './ops/movement.ts';
import { batchNorm2d as batchNorm2dAlone } from './ops/norm.ts';
import { adaptiveAvgPool2d as adaptiveAvgPool2dAlone, avgPool2d as avgPool2dAlone } from './ops/pool.ts';
import { lowerFused } from './plan/fuse/lower.ts';
import { installFusedLowering } from './plan/lowering.ts';

/** Gives the op itself. Bundlers drop a call marked pure together with an op that is not used. */
function fusing<Op>(op: Op): Op {
  installFusedLowering(lowerFused);
  return op;
}

/** Means of `size` windows that cover x evenly; `size` is a number, [height, width] or { outputSize }. */
export const adaptiveAvgPool2d = /* @__PURE__ */ fusing(adaptiveAvgPool2dAlone);

/** Mean of each window; takes its options as `maxPool2d` does, and throws as that does. */
export const avgPool2d = /* @__PURE__ */ fusing(avgPool2dAlone);

/**
 * Normalises each channel of x [N, C, H, W] (or [N, C], or any [N, C, ...]) and scales it. Throws a RangeError where
 * a parameter is not [C], where training sees one value per channel, or where evaluation lacks running statistics; a
 * TypeError for integers.
 */
export const batchNorm2d = /* @__PURE__ */ fusing(batchNorm2dAlone);

/**
 * Joins tensors along a dimension; all other sizes and the types agree. Throws a RangeError where sizes differ, a
 * TypeError where types do.
 */
export const concat = /* @__PURE__ */ fusing(concatAlone);

/** Joins tensors of one shape along a new dimension. Throws as `concat` does. */
export const stack = /* @__PURE__ */ fusing(stackAlone);
