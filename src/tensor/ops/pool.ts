import {
  avgPool,
  avgPoolGradient,
  maxPool,
  maxPoolGradient,
  type PoolShape,
  type PoolWindow,
  type Size2d,
} from '../../kernels/pool.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable, isGradEnabled } from '../graph/autograd.ts';
import { record, recordOne, type Op, type OutputSpec } from '../graph/op.ts';
import { flag, namedFirst, required, wholePair, type OptionKinds } from '../graph/options.ts';
import { formatShape, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { extremeAlong } from './extreme.ts';
import { checkFloats } from './operands.ts';
import { mean } from './reduce.ts';

/*
 * Pooling of the planes of x [N, C, H, W]. Along each axis output o has the window
 *
 *   o * stride - padding + k * dilation, 0 <= k < kernel        max and average pooling
 *   floor(o * in / out) <= i < ceil((o + 1) * in / out)         adaptive pooling
 *
 *   maximum  y_o = max x_i, the first one's place is kept;   dx_i = sum of dy_o over o whose place is i
 *   average  y_o = sum x_i / d_o;                            dx_i = sum of dy_o / d_o over o whose window holds i
 *
 * d_o is the size of the window, with the padding in it or without.
 */

/** One number for both axes, or [height, width]. */
export type PerAxis = number | readonly [height: number, width: number];

export interface PoolOptions {
  readonly kernelSize: PerAxis;
  /** Default: the kernel's size. */
  readonly stride?: PerAxis;
  /** At most half of the kernel's size. Default 0. */
  readonly padding?: PerAxis;
  /** Round the output's size up, so that a last window may reach over the edge. Default false. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Default 1. */
  readonly dilation?: PerAxis;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether zeros of the padding count in the mean. Default true, as in PyTorch. */
  readonly countIncludePad?: boolean;
}

export interface AdaptivePoolOptions {
  /** Rows and columns of the result. */
  readonly outputSize: PerAxis;
}

const POOL_OPTIONS: OptionKinds<PoolOptions> = {
  kernelSize: required(wholePair(1)),
  stride: wholePair(1),
  padding: wholePair(0),
  ceilMode: flag,
};

const MAX_POOL_OPTIONS: OptionKinds<MaxPoolOptions> = { ...POOL_OPTIONS, dilation: wholePair(1) };
const AVG_POOL_OPTIONS: OptionKinds<AvgPoolOptions> = { ...POOL_OPTIONS, countIncludePad: flag };
const ADAPTIVE_OPTIONS: OptionKinds<AdaptivePoolOptions> = { outputSize: required(wholePair(1)) };

/** Options of the op or the layer `what`. */
export const maxPoolOptions = (
  what: string,
  kernelSize: PerAxis | MaxPoolOptions,
  rest: Omit<MaxPoolOptions, 'kernelSize'> | undefined,
): MaxPoolOptions => namedFirst<MaxPoolOptions>(what, 'kernelSize', kernelSize, rest, MAX_POOL_OPTIONS);

export const avgPoolOptions = (
  what: string,
  kernelSize: PerAxis | AvgPoolOptions,
  rest: Omit<AvgPoolOptions, 'kernelSize'> | undefined,
): AvgPoolOptions => namedFirst<AvgPoolOptions>(what, 'kernelSize', kernelSize, rest, AVG_POOL_OPTIONS);

export const outputSizeOf = (what: string, size: PerAxis | AdaptivePoolOptions): PerAxis =>
  namedFirst<AdaptivePoolOptions>(what, 'outputSize', size, undefined, ADAPTIVE_OPTIONS).outputSize;

// Shape rule

interface Plan {
  readonly pool: PoolShape;
  readonly shape: Shape;
}

const both = (value: PerAxis): Size2d => (typeof value === 'number' ? [value, value] : value);

function imageOf(x: Tensor, what: string): { images: number; channels: number; input: Size2d } {
  checkFloats(what, { x });
  const [images, channels, height, width] = x.shape;
  if (x.shape.length !== 4 || !images || !channels || !height || !width) {
    throw new RangeError(`${what} needs [N, C, H, W], got ${formatShape(x.shape)}`);
  }
  return { images, channels, input: [height, width] };
}

function planOf(x: Tensor, options: MaxPoolOptions, what: string): Plan {
  const { images, channels, input } = imageOf(x, what);
  const kernel = both(options.kernelSize);
  const stride = both(options.stride ?? kernel);
  const padding = both(options.padding ?? 0);
  const dilation = both(options.dilation ?? 1);
  const window = { kernel, stride, padding, dilation };
  const ceil = options.ceilMode ?? false;
  const output = [
    outputSize(input, window, 0, ceil, what),
    outputSize(input, window, 1, ceil, what),
  ] as const;
  const pool = { planes: images * channels, input, output, window };
  return { pool, shape: [images, channels, ...output] };
}

/** PyTorch's rule; in ceil mode the last window must start inside the input or its left padding. */
function outputSize(input: Size2d, window: PoolWindow, axis: 0 | 1, ceil: boolean, what: string): number {
  const [size, kernel, stride] = [input[axis], window.kernel[axis], window.stride[axis]];
  const [padding, dilation] = [window.padding[axis], window.dilation[axis]];
  if (padding > kernel / 2) {
    throw new RangeError(`${what}: padding ${padding} is more than half of the kernel's ${kernel}`);
  }
  const room = size + 2 * padding - dilation * (kernel - 1) - 1;
  const last = ceil ? Math.ceil(room / stride) : Math.floor(room / stride);
  const count = ceil && last * stride >= size + padding ? last : last + 1;
  if (count < 1) {
    throw new RangeError(
      `${what}: kernel ${kernel} with dilation ${dilation} and padding ${padding} does not fit into size ${size}`,
    );
  }
  return count;
}

function planAdaptive(x: Tensor, size: PerAxis | AdaptivePoolOptions, what: string): Plan {
  const output = both(outputSizeOf(what, size));
  const { images, channels, input } = imageOf(x, what);
  return {
    pool: { planes: images * channels, input, output, window: null },
    shape: [images, channels, ...output],
  };
}

// Maximum

/** x -> y, and the places of the maxima if a second output is asked for. */
export const maxPoolOp: Op<PoolShape> = {
  name: 'maxPool2d',
  half: 'all',
  lower: (context, { inputs, outputs: [y, indices], attrs }) => {
    if (y === undefined) throw new Error('maxPool2d has an output');
    return [maxPool(context, one(inputs), y, indices ?? null, attrs)];
  },
};

const maxPoolBackwardOp: Op<PoolShape> = {
  name: 'maxPool2d backward',
  half: 'all',
  lower: (context, { inputs, outputs, attrs }) => {
    const [dy, indices] = two(inputs);
    return [maxPoolGradient(context, dy, indices, one(outputs), attrs)];
  },
};

/**
 * Largest value of each window; a NaN is the largest. maxPool2d(x, 2), maxPool2d(x, 2, { stride: 1 }) or
 * maxPool2d(x, { kernelSize: 2, stride: 1 }). Throws a RangeError where no window fits, a TypeError for integers.
 */
export function maxPool2d(
  x: Tensor,
  kernelSize: PerAxis | MaxPoolOptions,
  options?: Omit<MaxPoolOptions, 'kernelSize'>,
): Tensor {
  return maxPooled(x, planOf(x, maxPoolOptions('maxPool2d', kernelSize, options), 'maxPool2d'));
}

/** Maxima of `size` windows that cover x evenly; `size` is a number, [height, width] or { outputSize }. */
export function adaptiveMaxPool2d(x: Tensor, size: PerAxis | AdaptivePoolOptions): Tensor {
  const plan = planAdaptive(x, size, 'adaptiveMaxPool2d');
  const { planes, input, output } = plan.pool;
  if (output[0] * output[1] > 1) return maxPooled(x, plan);
  return extremeAlong('max', x, { outer: planes, reduce: input[0] * input[1], inner: 1 }, plan.shape).values;
}

function maxPooled(x: Tensor, { pool, shape }: Plan): Tensor {
  if (!isGradEnabled() || !x.requiresGrad) return recordOne(maxPoolOp, [x], { shape }, pool);
  const outputs: OutputSpec[] = [{ shape }, { shape, dtype: 'i32' }];
  const [y, indices] = two(record(maxPoolOp, [x], outputs, pool));
  const xShape = x.shape;
  return differentiable(y, [x], [indices], (dy, saved) => [
    recordOne(maxPoolBackwardOp, [dy, one(saved)], { shape: xShape }, pool),
  ]);
}

// Average

interface AverageAttrs {
  readonly pool: PoolShape;
  readonly countPadding: boolean;
}

export const avgPoolOp: Op<AverageAttrs> = {
  name: 'avgPool2d',
  half: 'all',
  lower: (context, { inputs, outputs, attrs: { pool, countPadding } }) => [
    avgPool(context, one(inputs), one(outputs), pool, countPadding),
  ],
};

export const avgPoolBackwardOp: Op<AverageAttrs> = {
  name: 'avgPool2d backward',
  half: 'all',
  lower: (context, { inputs, outputs, attrs: { pool, countPadding } }) => [
    avgPoolGradient(context, one(inputs), one(outputs), pool, countPadding),
  ],
};

/** Mean of each window; takes its options as `maxPool2d` does, and throws as that does. */
export function avgPool2d(
  x: Tensor,
  kernelSize: PerAxis | AvgPoolOptions,
  rest?: Omit<AvgPoolOptions, 'kernelSize'>,
): Tensor {
  const options = avgPoolOptions('avgPool2d', kernelSize, rest);
  const { pool, shape } = planOf(x, options, 'avgPool2d');
  return averaged(x, shape, { pool, countPadding: options.countIncludePad ?? true });
}

/** Means of `size` windows that cover x evenly; `size` is a number, [height, width] or { outputSize }. */
export function adaptiveAvgPool2d(x: Tensor, size: PerAxis | AdaptivePoolOptions): Tensor {
  const { pool, shape } = planAdaptive(x, size, 'adaptiveAvgPool2d');
  if (pool.output[0] * pool.output[1] === 1) return mean(x, { dim: [2, 3], keepDim: true });
  return averaged(x, shape, { pool, countPadding: false });
}

function averaged(x: Tensor, shape: Shape, attrs: AverageAttrs): Tensor {
  const y = recordOne(avgPoolOp, [x], { shape }, attrs);
  const xShape = x.shape;
  return differentiable(y, [x], [], (dy) => [recordOne(avgPoolBackwardOp, [dy], { shape: xShape }, attrs)]);
}
