import { binary, type Arithmetic, type Comparison } from '../../kernels/binary.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { broadcastShapes, type Shape } from '../graph/shape.ts';
import { Tensor } from '../graph/tensor.ts';
import { checkNumber } from './operands.ts';
import { sumToShape } from './reduce.ts';

/*
 * Functions of two variables, y = f(a, b), after broadcasting; one of the two may be a number.
 *
 *   add      a + b         da = dy                               db = dy
 *   sub      a - b         da = dy                               db = -dy
 *   mul      a b           da = dy b                             db = dy a
 *   div      a / b         da = dy / b                           db = -dy y / b
 *   maximum  max(a, b)     da = dy where a > b, dy / 2 if equal, else 0; db alike
 *   minimum  min(a, b)     da = dy where a < b, dy / 2 if equal, else 0; db alike
 *   eq ne lt le gt ge      f32 0 or 1; no gradient
 *
 * A NaN in a or b stays one, is unequal to everything, and neither less nor greater; maximum and minimum then give dy to both.
 *
 * Shape rule: NumPy's broadcasting. Each gradient is summed over what its operand was repeated along. Both operands
 * have one type; integers can be added, subtracted, multiplied and compared.
 */

/** @inline */
type Operand = Tensor | number;

interface BinaryAttrs {
  readonly a: Shape;
  /** A shape, or the number itself. */
  readonly b: Shape | number;
  readonly shape: Shape;
}

/** Functions whose results have the range of their arguments, or nearly so. */
const HALF: ReadonlySet<Arithmetic | Comparison> = new Set<Arithmetic | Comparison>([
  'add',
  'subtract',
  'subtract_from',
  'multiply',
  'maximum',
  'minimum',
]);

function binaryOp(name: string, wgsl: Arithmetic | Comparison): Op<BinaryAttrs> {
  return {
    name,
    ...(HALF.has(wgsl) && { half: 'all' }),
    lower: ({ geometry }, { inputs, outputs, attrs: { a, b, shape } }) => {
      const y = one(outputs);
      if (typeof b === 'number')
        return [binary(geometry, wgsl, { buffer: one(inputs), shape: a }, b, y, shape)];
      const [left, right] = two(inputs);
      return [binary(geometry, wgsl, { buffer: left, shape: a }, { buffer: right, shape: b }, y, shape)];
    },
  };
}

/** An op and the one to use when the number stands at the left. */
interface Sides {
  readonly op: Op<BinaryAttrs>;
  readonly swapped: Op<BinaryAttrs>;
}

const sides = (name: string, wgsl: Arithmetic | Comparison, swapped = wgsl): Sides => ({
  op: binaryOp(name, wgsl),
  swapped: binaryOp(name, swapped),
});

const addOps = sides('add', 'add');
const subOps = sides('sub', 'subtract', 'subtract_from');
const mulOps = sides('mul', 'multiply');
const divOps = sides('div', 'divide', 'divide_into');
const maximumOps = sides('maximum', 'maximum');
const minimumOps = sides('minimum', 'minimum');
const eqOps = sides('eq', 'equal');
const neOps = sides('ne', 'not_equal');
const ltOps = sides('lt', 'less', 'greater');
const leOps = sides('le', 'less_equal', 'greater_equal');
const gtOps = sides('gt', 'greater', 'less');
const geOps = sides('ge', 'greater_equal', 'less_equal');
const multiplyShareOps = sides('maximum backward', 'multiply_share');
const shareOps = sides('maximum backward', 'share_of_greater', 'share_of_less');

/** The recorded ops by their functions, for those who read a recording. */
export const BINARY_OPS = {
  add: addOps,
  sub: subOps,
  mul: mulOps,
  div: divOps,
  maximum: maximumOps,
  minimum: minimumOps,
  eq: eqOps,
  ne: neOps,
  lt: ltOps,
  le: leOps,
  gt: gtOps,
  ge: geOps,
} as const;

function apply({ op, swapped }: Sides, a: Operand, b: Operand, result?: 'f32'): Tensor {
  for (const operand of [a, b]) if (!(operand instanceof Tensor)) checkNumber(op.name, operand, 'f32');
  if (typeof a === 'number') {
    if (typeof b === 'number') throw new TypeError(`${op.name} of two numbers: one operand must be a tensor`);
    return withNumber(swapped, b, a, result);
  }
  if (typeof b === 'number') return withNumber(op, a, b, result);
  if (a.dtype !== b.dtype) throw new TypeError(`${op.name} of ${a.dtype} and ${b.dtype}: cast one of them`);
  const shape = broadcastShapes(a.shape, b.shape);
  return recordOne(op, [a, b], { shape, dtype: result ?? a.dtype }, { a: a.shape, b: b.shape, shape });
}

function withNumber(op: Op<BinaryAttrs>, a: Tensor, b: number, result?: 'f32'): Tensor {
  checkNumber(op.name, b, a.dtype);
  const { shape } = a;
  return recordOne(op, [a], { shape, dtype: result ?? a.dtype }, { a: shape, b, shape });
}

const isTensor = (operand: Operand): operand is Tensor => typeof operand !== 'number';

/** How the gradient of one operand comes from dy and what is saved for it. `of` must not hold on to tensors. */
interface Gradient {
  readonly operand: Operand;
  readonly saves?: readonly Operand[];
  readonly of: (dy: Tensor, saved: readonly Operand[]) => Tensor;
}

/** Gives y its history: a gradient for each operand that is a tensor, saving only what those that want one need. */
function withGradients(y: Tensor, gradients: readonly Gradient[]): Tensor {
  const kept: Tensor[] = [];
  const inputs: Tensor[] = [];
  const parts = gradients.flatMap(({ operand, saves = [], of }) => {
    if (!isTensor(operand)) return [];
    inputs.push(operand);
    const slots = saves.map((save) => {
      if (!isTensor(save)) return { number: save };
      return { index: operand.requiresGrad ? kept.push(save) - 1 : -1 };
    });
    return [{ shape: operand.shape, slots, of }];
  });
  return differentiable(y, inputs, kept, (dy, handles, needs) =>
    parts.map(({ shape, slots, of }, i) => {
      if (needs[i] !== true) return null;
      const saved = slots.map((slot) => slot.number ?? itemAt(handles, slot.index));
      return sumToShape(of(dy, saved), shape);
    }),
  );
}

function itemAt(handles: readonly Tensor[], index: number): Tensor {
  const tensor = handles[index];
  if (tensor === undefined) throw new RangeError(`saved tensor ${index} of ${handles.length} was asked for`);
  return tensor;
}

export function add(a: Operand, b: Operand): Tensor {
  return withGradients(apply(addOps, a, b), [
    { operand: a, of: (dy) => dy },
    { operand: b, of: (dy) => dy },
  ]);
}

export function sub(a: Operand, b: Operand): Tensor {
  return withGradients(apply(subOps, a, b), [
    { operand: a, of: (dy) => dy },
    { operand: b, of: (dy) => mul(dy, -1) },
  ]);
}

export function mul(a: Operand, b: Operand): Tensor {
  const timesSaved: Gradient['of'] = (dy, saved) => mul(dy, one(saved));
  return withGradients(apply(mulOps, a, b), [
    { operand: a, saves: [b], of: timesSaved },
    { operand: b, saves: [a], of: timesSaved },
  ]);
}

/** Throws a TypeError for integers, whose quotients PyTorch makes floating. */
export function div(a: Operand, b: Operand): Tensor {
  if ([a, b].some((operand) => operand instanceof Tensor && operand.dtype !== 'f32')) {
    throw new TypeError('div takes f32: cast integers first');
  }
  const quotient = apply(divOps, a, b);
  return withGradients(quotient, [
    { operand: a, saves: [b], of: (dy, saved) => div(dy, one(saved)) },
    {
      operand: b,
      saves: [b, quotient],
      of: (dy, saved) => {
        const [divisor, y] = two(saved);
        return mul(mul(dy, div(y, divisor)), -1);
      },
    },
  ]);
}

export function maximum(a: Operand, b: Operand): Tensor {
  return withGradients(apply(maximumOps, a, b), [
    { operand: a, saves: [a, b], of: gradientOfGreater },
    { operand: b, saves: [b, a], of: gradientOfGreater },
  ]);
}

export function minimum(a: Operand, b: Operand): Tensor {
  return withGradients(apply(minimumOps, a, b), [
    { operand: a, saves: [b, a], of: gradientOfGreater },
    { operand: b, saves: [a, b], of: gradientOfGreater },
  ]);
}

/** dy where the first saved is greater than the second or one of them is NaN, half of it where they are equal, else 0. */
function gradientOfGreater(dy: Tensor, saved: readonly Operand[]): Tensor {
  const [greater, less] = two(saved);
  return apply(multiplyShareOps, dy, apply(shareOps, greater, less, 'f32'));
}

export const eq = (a: Operand, b: Operand): Tensor => apply(eqOps, a, b, 'f32');

export const ne = (a: Operand, b: Operand): Tensor => apply(neOps, a, b, 'f32');

export const lt = (a: Operand, b: Operand): Tensor => apply(ltOps, a, b, 'f32');

export const le = (a: Operand, b: Operand): Tensor => apply(leOps, a, b, 'f32');

export const gt = (a: Operand, b: Operand): Tensor => apply(gtOps, a, b, 'f32');

export const ge = (a: Operand, b: Operand): Tensor => apply(geOps, a, b, 'f32');
