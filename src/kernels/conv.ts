import type { BufferRef, Dispatch } from '../gpu/dispatch.ts';
import type { ConvMethod, KernelContext, Tunable } from './context.ts';
import { methodOf } from './conv_choice.ts';
import type { ConvChoice, ConvDirection } from './conv_choice.ts';
import { settleMethod } from './conv_method.ts';
import { dataProblem, forwardProblem, inputMap, outputMap, weightProblem } from './conv_problem.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import { gemm } from './gemm.ts';
import type { GemmProblem } from './gemm.ts';
import type { GemmChoice } from './gemm_choice.ts';
import { accessOf } from './maps.ts';
import type { MapView } from './maps.ts';
import { winograd } from './winograd.ts';
import { planWinograd } from './winograd_plan.ts';

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
  const problem = (): GemmProblem => forwardProblem(extent, { kind: 'plain', map: from }, weight, bias, to);
  return plainConv(context, extent, 'forward', { x: from, weight, bias, y: to, problem }, choice);
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
  const problem = (): GemmProblem => dataProblem(extent, from, weight, to);
  return plainConv(context, extent, 'data', { x: from, weight, bias: null, y: to, problem }, choice);
}

interface PlainConv {
  readonly x: MapView;
  readonly weight: BufferRef;
  readonly bias: BufferRef | null;
  readonly y: MapView;
  /** By the direct method. */
  readonly problem: () => GemmProblem;
}

function plainConv(
  context: KernelContext,
  extent: Conv2dExtent,
  direction: ConvDirection,
  { problem, ...operands }: PlainConv,
  choice: Partial<ConvChoice> | undefined,
): Dispatch[] {
  const by = (to: KernelContext, method: ConvMethod, geometry?: Partial<ConvChoice>): Dispatch[] => {
    const plan = planWinograd(to.geometry, extent, direction, { ...geometry, method });
    if (plan === null) return gemm(to, problem(), geometry);
    return winograd(to, plan, { ...operands, load: [], yAccess: accessOf(operands.y), store: [] }, geometry);
  };
  if (choice !== undefined) return by(context, methodOf(context.geometry, extent, direction, choice), choice);
  const make: Tunable['make'] = (to, { method = 'direct' }) => ({
    dispatches: by(to, method),
    partials: null,
  });
  return by(context, settleMethod(context, extent, direction, problem, make));
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
