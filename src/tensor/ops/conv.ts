import { convBackwardData, convBackwardWeight, convForward } from '../../kernels/conv.ts';
import type { Conv2dExtent, Pair } from '../../kernels/conv.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne } from '../graph/op.ts';
import type { Op } from '../graph/op.ts';
import { checkOptions, whole, wholePair, type OptionKinds } from '../graph/options.ts';
import { formatShape, sameShape } from '../graph/shape.ts';
import type { Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { isPlainObject } from '../graph/wording.ts';
import { channelSums } from './channel_sums.ts';
import { checkFloats } from './operands.ts';

/*
 * Two-dimensional cross-correlation with stride s, padding p, dilation d (indices outside x count as zero; with groups,
 * ci runs over the channels of co's group):
 *
 *   y[n, co, oy, ox]    = b[co] + sum over ci, ky, kx of w[co, ci, ky, kx] x[n, ci, oy s - p + ky d, ox s - p + kx d]
 *   dx[n, ci, iy, ix]   = sum over co, ky, kx of w[co, ci, ky, kx] dy[n, co, (iy + p - ky d) / s, (ix + p - kx d) / s]
 *   dw[co, ci, ky, kx]  = sum over n, oy, ox of dy[n, co, oy, ox] x[n, ci, oy s - p + ky d, ox s - p + kx d]
 *   db[co]              = sum over n, oy, ox of dy[n, co, oy, ox]
 *
 * dx takes those terms whose divisions leave no remainder.
 */

/** A number for both, or [height, width]. */
export type PairLike = number | readonly [number, number];

export interface Conv2dOptions {
  /** Default 1. */
  readonly stride?: PairLike;
  /** Zeros on every side, default 0. */
  readonly padding?: PairLike;
  /** Distance between neighbouring taps of the kernel, default 1. */
  readonly dilation?: PairLike;
  /** Default 1. */
  readonly groups?: number;
}

const CONV2D_OPTIONS: OptionKinds<Conv2dOptions> = {
  stride: wholePair(1),
  padding: wholePair(0),
  dilation: wholePair(1),
  groups: whole(1),
};

/** The options of the op or the layer `what`, checked; `more` are the layer's own. */
export function checkConv2dOptions<Options extends Conv2dOptions>(
  what: string,
  options: Options,
  more: Omit<OptionKinds<Options>, keyof Conv2dOptions>,
): Options {
  const padding: unknown = (options as Conv2dOptions | null)?.padding;
  if (padding === 'same' || padding === 'valid') {
    const instead =
      padding === 'valid' ? '0' : 'dilation * (kernel - 1) / 2, which keeps the size at stride 1';
    throw new TypeError(`${what} takes padding in numbers, got '${padding}': write ${instead}`);
  }
  return checkOptions(what, options, { ...CONV2D_OPTIONS, ...more } as OptionKinds<Options>);
}

// Shape rule

function extentOf(x: Shape, weight: Shape, bias: Shape | null, options: Conv2dOptions): Conv2dExtent {
  const [images, inChannels, height, width] = four(x, 'the input', '[N, C, H, W]');
  const [outChannels, perGroup, kernelY, kernelX] = four(weight, 'the weight', '[outC, C / groups, kH, kW]');
  const groups = options.groups ?? 1;
  if (inChannels % groups > 0 || outChannels % groups > 0) {
    throw new RangeError(
      `conv2d: ${groups} groups do not divide ${inChannels} input and ${outChannels} output channels`,
    );
  }
  if (perGroup !== inChannels / groups) {
    const all = `an input of ${formatShape(x)} in ${groups} groups has ${inChannels / groups} channels a group`;
    throw new RangeError(`conv2d: ${all}, the weight ${formatShape(weight)} expects ${perGroup}`);
  }
  if (bias !== null && !sameShape(bias, [outChannels])) {
    throw new RangeError(`conv2d: the bias is ${formatShape(bias)}, expected [${outChannels}]`);
  }
  const kernel = { y: kernelY, x: kernelX };
  const stride = pair(options.stride ?? 1);
  const padding = pair(options.padding ?? 0);
  const dilation = pair(options.dilation ?? 1);
  const along = (axis: 'y' | 'x', size: number): number => {
    const room = size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1;
    if (room >= 0) return Math.floor(room / stride[axis]) + 1;
    const reach = dilation[axis] * (kernel[axis] - 1) + 1;
    throw new RangeError(
      `conv2d: the kernel reaches over ${reach} elements, the input ${formatShape(x)} with its padding has ${size + 2 * padding[axis]}`,
    );
  };
  return {
    images,
    inChannels,
    outChannels,
    groups,
    input: { y: height, x: width },
    output: { y: along('y', height), x: along('x', width) },
    kernel,
    stride,
    padding,
    dilation,
  };
}

function four(shape: Shape, what: string, expected: string): [number, number, number, number] {
  const [a, b, c, d] = shape;
  if (a === undefined || b === undefined || c === undefined || d === undefined || shape.length !== 4) {
    throw new RangeError(`conv2d: ${what} must be ${expected}, got ${formatShape(shape)}`);
  }
  return [a, b, c, d];
}

function pair(value: PairLike): Pair {
  const [y, x] = typeof value === 'number' ? [value, value] : value;
  return { y, x };
}

// Forward

export const conv2dOp: Op<Conv2dExtent> = {
  name: 'conv2d',
  half: { inputs: [0, 1], outputs: 'all' },
  product: [0, 1],
  lower: (context, { inputs, outputs, attrs }) => {
    const [x, weight] = two(inputs.slice(0, 2));
    return convForward(context, attrs, x, weight, inputs[2] ?? null, one(outputs));
  },
};

/**
 * Convolution (cross-correlation, as in PyTorch) of x [N, C, H, W] with weight [outC, C / groups, kH, kW] and bias
 * [outC], giving [N, outC, OH, OW] with OH = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1. The bias may
 * be left out: conv2d(x, weight, { padding: 1 }). Throws a RangeError where channels and groups do not fit, or the kernel
 * is larger than the padded input; a TypeError for integers.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  biasOrOptions: Tensor | Conv2dOptions | null = null,
  moreOptions?: Conv2dOptions,
): Tensor {
  const leftOut = moreOptions === undefined && isPlainObject(biasOrOptions);
  const bias = leftOut ? null : (biasOrOptions as Tensor | null);
  const options = checkConv2dOptions<Conv2dOptions>(
    'conv2d',
    leftOut ? biasOrOptions : (moreOptions ?? {}),
    {},
  );
  checkFloats('conv2d', { x, weight, bias });
  const extent = extentOf(x.shape, weight.shape, bias?.shape ?? null, options);
  const shape = [extent.images, extent.outChannels, extent.output.y, extent.output.x];
  const inputs = bias === null ? [x, weight] : [x, weight, bias];
  const y = recordOne(conv2dOp, inputs, { shape }, extent);
  return differentiable(y, inputs, [x, weight], (dy, saved, [needsX, needsWeight, needsBias]) => {
    const [x, weight] = two(saved);
    return [
      needsX === true ? recordOne(conv2dDataOp, [dy, weight], { shape: x.shape }, extent) : null,
      needsWeight === true ? recordOne(conv2dWeightOp, [dy, x], { shape: weight.shape }, extent) : null,
      needsBias === true ? channelSums(dy) : null,
    ];
  });
}

// Backward

export const conv2dDataOp: Op<Conv2dExtent> = {
  name: 'conv2d backward data',
  half: 'all',
  product: [0, 1],
  lower: (context, { inputs, outputs, attrs }) => {
    const [dy, weight] = two(inputs);
    return convBackwardData(context, attrs, dy, weight, one(outputs));
  },
};

export const conv2dWeightOp: Op<Conv2dExtent> = {
  name: 'conv2d backward weight',
  half: { inputs: 'all' },
  product: [0, 1],
  lower: (context, { inputs, outputs, attrs }) => {
    const [dy, x] = two(inputs);
    return convBackwardWeight(context, attrs, dy, x, one(outputs));
  },
};
