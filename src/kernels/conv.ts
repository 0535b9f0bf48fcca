import type { BufferRef, Dispatch } from '../gpu/dispatch.ts';
import type { KernelContext } from './context.ts';
import type { ConvChoice } from './conv_choice.ts';
import { dataProblem, forwardProblem, inputMap, outputMap, weightProblem } from './conv_problem.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import { gemm } from './gemm.ts';
import type { GemmChoice } from './gemm_choice.ts';
import { accessOf } from './maps.ts';
import type { MapView } from './maps.ts';
import { winograd } from './winograd.ts';
import { planWinograd } from './winograd_plan.ts';
import type { WinogradPlan } from './winograd_plan.ts';

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
  choice?: Partial<ConvChoice>,
): Dispatch[] {
  const [from, to] = [inputMap(extent, x), outputMap(extent, y)];
  const plan = planWinograd(context.geometry, extent, 'forward', choice);
  if (plan !== null) return plainWinograd(context, plan, from, weight, bias, to, choice);
  return gemm(context, forwardProblem(extent, { kind: 'plain', map: from }, weight, bias, to), choice);
}

/** dx, the gradient of conv2d's input, from dy and weight. */
export function convBackwardData(
  context: KernelContext,
  extent: Conv2dExtent,
  dy: BufferRef,
  weight: BufferRef,
  dx: BufferRef,
  choice?: Partial<ConvChoice>,
): Dispatch[] {
  const [from, to] = [outputMap(extent, dy), inputMap(extent, dx)];
  const plan = planWinograd(context.geometry, extent, 'data', choice);
  if (plan !== null) return plainWinograd(context, plan, from, weight, null, to, choice);
  return gemm(context, dataProblem(extent, from, weight, to), choice);
}

const plainWinograd = (
  context: KernelContext,
  plan: WinogradPlan,
  x: MapView,
  weight: BufferRef,
  bias: BufferRef | null,
  y: MapView,
  choice: Partial<ConvChoice> | undefined,
): Dispatch[] =>
  winograd(context, plan, { x, load: [], weight, bias, y, yAccess: accessOf(y), store: [] }, choice);

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
