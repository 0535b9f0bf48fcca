import threadsLibrary from '../../shaders/lib_threads.wgsl';
import weightSource from '../../shaders/winograd_weight.wgsl';
import { bytesOf, u32, uniform, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { spread, storedType, type KernelContext } from './context.ts';
import type { ConvChoice } from './conv_choice.ts';
import { expandTemplate } from './template.ts';
import { winogradFused } from './winograd_fused.ts';
import { label } from './winograd_params.ts';
import { POINTS, type WinogradOperands, type WinogradPlan } from './winograd_plan.ts';
import { winogradRounds } from './winograd_rounds.ts';

/*
 * Winograd's F(2x2, 3x3) (Lavin and Gray 2016): a 3x3 convolution of stride 1 makes 2x2 outputs from a 4x4 patch with 16 products
 * instead of 36:
 *
 *   U = G g G^T  [16, rows, inner]   V = B^T d B  [16, inner, tiles]   M[p] = U[p] V[p]  [16, rows, tiles]   y = A^T M A
 *
 * The gradient of a conv's input is the same with kernels turned by 180 degrees, channels exchanged and padding 2 - p. Activation or
 * correction are made as V is, bias, statistics and norm as y is.
 *
 * On GPUs the 16 products are one batched matmul. V is four times the input and M four times the output, so tiles are taken in
 * rounds whose V and M stay in the cache. The fused kernel has neither V nor M, and makes V once for every 16 rows.
 *
 * A NaN in the input comes out as NaN. An infinity comes out as NaN (infinity - infinity) or as an infinity. Both reach all outputs of the
 * tiles in whose patch they lie: one pixel further than in a direct convolution.
 */

/** The convolution or data gradient of the plan: two dispatches if fused, else 1 + 3 for each round, more where products' sums are split. */
export function winograd(
  context: KernelContext,
  plan: WinogradPlan,
  operands: WinogradOperands,
  choice: Partial<ConvChoice> = {},
): Dispatch[] {
  const u = context.temporary(POINTS * plan.rows * plan.inner);
  const weights = transformedWeights(context, plan, operands.weight, u);
  return plan.fused
    ? [weights, winogradFused(context, plan, operands, u)]
    : [weights, ...winogradRounds(context, plan, operands, u, choice)];
}

function transformedWeights(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  weight: BufferRef,
  u: BufferRef,
): Dispatch {
  const { rows, inner, direction, fused } = plan;
  const forward = direction === 'forward';
  const threads = rows * inner;
  return {
    label: `${label(plan)}, weights`,
    code: expandTemplate('winograd_weight', weightSource, {
      include: { threads: threadsLibrary },
      when: { ROTATED: !forward },
      substitute: { W_ELEMENT_: storedType(weight.dtype) },
    }),
    params: uniform({
      threads: u32(threads),
      inner: u32(inner),
      w_row: u32(forward ? 9 * inner : 9),
      w_inner: u32(forward ? 9 : 9 * rows),
      u_pair: u32(fused ? POINTS : 1),
      u_point: u32(fused ? 1 : threads),
    }),
    operands: [
      { buffer: weight, access: 'read' },
      { buffer: u, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: 42 * threads,
    bytes: bytesOf(weight) + bytesOf(u),
  };
}
