import type { BufferRef, Dispatch } from '../gpu/dispatch.ts';
import type { KernelContext } from './context.ts';
import { dataProblem, forwardProblem, inputMap, outputMap, weightProblem } from './conv_problem.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import { gemm } from './gemm.ts';
import type { GemmChoice } from './gemm_choice.ts';

export type { Conv2dExtent, Pair } from './conv_problem.ts';

/**
 * y = conv2d(x, weight) + bias. x [images, inChannels, input], weight [outChannels, inChannels / groups, kernel],
 * bias [outChannels] or null, y [images, outChannels, output].
 */
export function convForward(
  context: KernelContext,
  extent: Conv2dExtent,
  x: BufferRef,
  weight: BufferRef,
  bias: BufferRef | null,
  y: BufferRef,
  choice?: Partial<GemmChoice>,
): Dispatch[] {
  return gemm(
    context,
    forwardProblem(extent, { kind: 'plain', map: inputMap(extent, x) }, weight, bias, outputMap(extent, y)),
    choice,
  );
}

/** dx, the gradient of conv2d's input, from dy and weight. */
export function convBackwardData(
  context: KernelContext,
  extent: Conv2dExtent,
  dy: BufferRef,
  weight: BufferRef,
  dx: BufferRef,
  choice?: Partial<GemmChoice>,
): Dispatch[] {
  return gemm(context, dataProblem(extent, outputMap(extent, dy), weight, inputMap(extent, dx)), choice);
}

/** dw, the gradient of conv2d's weight, from dy and x. */
export function convBackwardWeight(
  context: KernelContext,
  extent: Conv2dExtent,
  dy: BufferRef,
  x: BufferRef,
  dw: BufferRef,
  choice?: Partial<GemmChoice>,
): Dispatch[] {
  const problem = weightProblem(context, extent, outputMap(extent, dy), inputMap(extent, x), dw);
  return gemm(context, problem, choice);
}
