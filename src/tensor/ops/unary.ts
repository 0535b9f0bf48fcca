import type { DType } from '../../gpu/dispatch.ts';
import {
  unary,
  unaryBackward,
  type UnaryBackwardFunction,
  type UnaryConstants,
  type UnaryFunction,
} from '../../kernels/elementwise.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { cloneOp, fillOp } from '../graph/basic_ops.ts';
import { checkDType } from '../graph/dtype_names.ts';
import { createOn, recordOne, type Op } from '../graph/op.ts';
import { checkValue, namedFirst, number, orNull, type OptionKinds } from '../graph/options.ts';
import type { Tensor } from '../graph/tensor.ts';
import { mul } from './binary.ts';
import { checkFloats, checkTensors } from './operands.ts';

/*
 * Functions of one variable, y_i = f(x_i), dx_i = dy_i f'(x_i).
 *
 *   relu        max(x, 0)                       dy where y > 0 or NaN
 *   leakyRelu   x where x > 0, else s x         dy where x > 0, else s dy
 *   sigmoid     1 / (1 + e^-x)                  dy y (1 - y)
 *   tanh        (e^x - e^-x) / (e^x + e^-x)     dy (1 - y^2)
 *   exp         e^x                             dy y
 *   log         ln x                            dy / x
 *   sqrt        x^(1/2)                         dy / (2 y)
 *   neg         -x                              -dy
 *   abs         |x|                             dy sign(x), 0 at 0
 *   square      x^2                             2 dy x
 *   reciprocal  1 / x                           -dy y^2
 *   clamp       min(max(x, low), high)          dy where low <= x <= high
 *   pow         x^n                             dy n x^(n-1), 0 for n = 0
 *
 * The shape stays. All of them take f32. A NaN in x stays one in y.
 */

interface UnaryAttrs {
  readonly constants: UnaryConstants;
}

interface UnaryOps {
  readonly forward: Op<UnaryAttrs>;
  readonly backward: Op<UnaryAttrs>;
  readonly saves: 'x' | 'y';
}

/** Functions whose results have the range of their arguments, or a small one. */
const HALF: ReadonlySet<UnaryFunction> = new Set<UnaryFunction>([
  'relu',
  'leaky_relu',
  'sigmoid',
  'stable_tanh',
  'negative',
  'absolute',
  'clamp_both',
  'clamp_min',
  'clamp_max',
]);

function unaryOps(name: string, wgsl: UnaryBackwardFunction, saves: 'x' | 'y'): UnaryOps {
  return {
    forward: forwardOp(name, wgsl),
    backward: {
      name: `${name} backward`,
      ...(HALF.has(wgsl) && { half: 'all' }),
      lower: ({ geometry }, { inputs, outputs, attrs }) => {
        const [dy, saved] = two(inputs);
        return [unaryBackward(geometry, wgsl, dy, saved, one(outputs), attrs.constants)];
      },
    },
    saves,
  };
}

function forwardOp(name: string, wgsl: UnaryFunction): Op<UnaryAttrs> {
  return {
    name,
    ...(HALF.has(wgsl) && { half: 'all' }),
    lower: ({ geometry }, { inputs, outputs, attrs }) => [
      unary(geometry, wgsl, one(inputs), one(outputs), attrs.constants),
    ],
  };
}

function apply({ forward, backward, saves }: UnaryOps, x: Tensor, constants: UnaryConstants = {}): Tensor {
  checkFloats(forward.name, { x });
  const attrs = { constants };
  const y = recordOne(forward, [x], { shape: x.shape }, attrs);
  return differentiable(y, [x], [saves === 'x' ? x : y], (dy, saved) => [
    recordOne(backward, [dy, one(saved)], { shape: dy.shape }, attrs),
  ]);
}

const relus = unaryOps('relu', 'relu', 'y');
const leakyRelus = unaryOps('leakyRelu', 'leaky_relu', 'x');
const sigmoids = unaryOps('sigmoid', 'sigmoid', 'y');
const tanhs = unaryOps('tanh', 'stable_tanh', 'y');
const exps = unaryOps('exp', 'exponential', 'y');
const logs = unaryOps('log', 'logarithm', 'x');
const sqrts = unaryOps('sqrt', 'square_root', 'y');
const abses = unaryOps('abs', 'absolute', 'x');
const squares = unaryOps('square', 'square', 'x');
const reciprocals = unaryOps('reciprocal', 'reciprocal', 'y');
const clamps = unaryOps('clamp', 'clamp_both', 'x');
const clampMins = unaryOps('clamp', 'clamp_min', 'x');
const clampMaxs = unaryOps('clamp', 'clamp_max', 'x');
const negOp = forwardOp('neg', 'negative');
const wholePowOp = forwardOp('pow', 'whole_power');
const powOp = forwardOp('pow', 'power');

/** The recorded ops by their functions, for those who read a recording. */
export const UNARY_OPS = {
  relu: relus.forward,
  leakyRelu: leakyRelus.forward,
  sigmoid: sigmoids.forward,
  tanh: tanhs.forward,
  exp: exps.forward,
  log: logs.forward,
  sqrt: sqrts.forward,
  abs: abses.forward,
  square: squares.forward,
  reciprocal: reciprocals.forward,
  clamp: clamps.forward,
  clampMin: clampMins.forward,
  clampMax: clampMaxs.forward,
  neg: negOp,
  wholePow: wholePowOp,
  pow: powOp,
} as const;

/** ReLU's two ops, for the planner. */
export const RELU_OPS = relus;

export const relu = (x: Tensor): Tensor => apply(relus, x);

export interface LeakyReluOptions {
  /** Slope below 0, by default 0.01. */
  readonly negativeSlope?: number;
}

const LEAKY_RELU_OPTIONS: OptionKinds<LeakyReluOptions> = { negativeSlope: number('', Number.isFinite) };

/** leakyRelu(x), leakyRelu(x, 0.1) or leakyRelu(x, { negativeSlope: 0.1 }). */
export const leakyRelu = (x: Tensor, slope?: number | LeakyReluOptions): Tensor =>
  apply(leakyRelus, x, { p: negativeSlopeOf('leakyRelu', slope) });

/** The slope as the op or the layer `what` is given it. */
export function negativeSlopeOf(what: string, slope: number | LeakyReluOptions | undefined): number {
  const options = namedFirst<LeakyReluOptions>(what, 'negativeSlope', slope, undefined, LEAKY_RELU_OPTIONS);
  return options.negativeSlope ?? 0.01;
}

export const sigmoid = (x: Tensor): Tensor => apply(sigmoids, x);

export const tanh = (x: Tensor): Tensor => apply(tanhs, x);

export const exp = (x: Tensor): Tensor => apply(exps, x);

/** Natural logarithm. */
export const log = (x: Tensor): Tensor => apply(logs, x);

export const sqrt = (x: Tensor): Tensor => apply(sqrts, x);

export const abs = (x: Tensor): Tensor => apply(abses, x);

export const square = (x: Tensor): Tensor => apply(squares, x);

export const reciprocal = (x: Tensor): Tensor => apply(reciprocals, x);

export function neg(x: Tensor): Tensor {
  checkFloats('neg', { x });
  const y = recordOne(negOp, [x], { shape: x.shape }, { constants: {} });
  return differentiable(y, [x], [], (dy) => [neg(dy)]);
}

export interface ClampOptions {
  /** Null for none. */
  readonly min?: number | null;
  /** Null for none. */
  readonly max?: number | null;
}

const CLAMP_OPTIONS: OptionKinds<ClampOptions> = { min: orNull(number()), max: orNull(number()) };

/**
 * Limits x from below, above or both: clamp(x, 0, 1), clamp(x, null, 1) or clamp(x, { min: 0, max: 1 }). Throws a RangeError
 * without a limit, or with min above max.
 */
export function clamp(x: Tensor, least?: number | null | ClampOptions, most?: number | null): Tensor {
  const limit = most === undefined ? undefined : { max: most };
  const options = namedFirst<ClampOptions>('clamp', 'min', least, limit, CLAMP_OPTIONS);
  const [min, max] = [options.min ?? undefined, options.max ?? undefined];
  if (min === undefined) {
    if (max === undefined) throw new RangeError('clamp needs a min or a max');
    return apply(clampMaxs, x, { q: max });
  }
  if (max === undefined) return apply(clampMins, x, { p: min });
  if (!(min <= max)) throw new RangeError(`clamp: min ${min} is above max ${max}`);
  return apply(clamps, x, { p: min, q: max });
}

/** Whole numbers beyond this are not all f32. */
const LARGEST_WHOLE_POWER = 2 ** 24;

/**
 * x to a constant power. Where the exponent is not whole, the power of a negative number is NaN. Throws a RangeError for an
 * exponent that is not finite, or whole and beyond 2^24.
 */
export function pow(x: Tensor, exponent: number): Tensor {
  checkFloats('pow', { x });
  checkValue('pow', 'the exponent', exponent, number());
  if (
    !Number.isFinite(exponent) ||
    (Number.isInteger(exponent) && Math.abs(exponent) > LARGEST_WHOLE_POWER)
  ) {
    throw new RangeError(`pow needs a finite exponent, if whole of at most 2^24, got ${exponent}`);
  }
  const y = powOf(x, exponent);
  const { recorder, shape } = x;
  return differentiable(y, [x], exponent === 0 ? [] : [x], (dy, saved) => [
    exponent === 0
      ? createOn(recorder, fillOp, { shape }, 0)
      : mul(dy, mul(powOf(one(saved), exponent - 1), exponent)),
  ]);
}

/** As PyTorch has it, a square root where the exponent is a half: the two differ at -0 and -Infinity. */
function powOf(x: Tensor, exponent: number): Tensor {
  const { shape } = x;
  if (exponent === 0.5) return recordOne(sqrts.forward, [x], { shape }, { constants: {} });
  if (exponent === -0.5) return recordOne(reciprocals.forward, [powOf(x, 0.5)], { shape }, { constants: {} });
  const op = Number.isInteger(exponent) ? wholePowOp : powOp;
  return recordOne(op, [x], { shape }, { constants: { p: exponent } });
}

/**
 * The elements as another type: towards zero from f32, and saturated. No gradient flows to or from integers. Throws a
 * TypeError where there is no such type.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  checkTensors('cast', { x });
  checkDType('cast', dtype);
  const y = recordOne(cloneOp, [x], { shape: x.shape, dtype }, null);
  if (x.dtype !== 'f32' || dtype !== 'f32') return y;
  return differentiable(y, [x], [], (dy) => [dy]);
}
