import { matmulKernel, mergeBatch } from '../../kernels/matmul.ts';
import type { MatmulExtent } from '../../kernels/matmul.ts';
import { one, two } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne } from '../graph/op.ts';
import type { Op } from '../graph/op.ts';
import { checkOptions, flag, type OptionKinds } from '../graph/options.ts';
import { broadcastShapes, contiguousStrides, elementCount, formatShape, sameShape } from '../graph/shape.ts';
import type { Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { channelSums } from './channel_sums.ts';
import { checkFloats } from './operands.ts';
import { sumToShape } from './reduce.ts';
import { reshape } from './reshape.ts';

/*
 * Products of matrices, leading dimensions broadcast:
 *
 *   matmul   C = A B             dA = dC B^T     dB = A^T dC     summed over the dimensions that were broadcast
 *   linear   y = x W^T + b       dx = dy W       dW = dy^T x     db = sum of dy's rows
 *
 * A stored transposed (A = S^T) has dS = B dC^T, B stored transposed dS = dC^T A.
 */

export interface MatmulOptions {
  /** Use the first operand with its last two dimensions exchanged, without a copy. */
  readonly transposeA?: boolean;
  /** The same for the second operand. */
  readonly transposeB?: boolean;
}

const MATMUL_OPTIONS: OptionKinds<MatmulOptions> = { transposeA: flag, transposeB: flag };

// Shape rule

interface Plan {
  readonly shape: Shape;
  readonly extent: MatmulExtent;
}

function planOf(a: Shape, b: Shape, transposeA: boolean, transposeB: boolean): Plan {
  const [rows, innerA] = matrix(a, transposeA);
  const [innerB, columns] = matrix(b, transposeB);
  const describe = (): string => `${storage(a, transposeA)} and ${storage(b, transposeB)}`;
  if (innerA !== innerB) throw new RangeError(`matmul: the inner sizes of ${describe()} differ`);
  const leadA = a.slice(0, -2);
  const leadB = b.slice(0, -2);
  let lead: number[];
  try {
    lead = broadcastShapes(leadA, leadB);
  } catch {
    throw new RangeError(`matmul: the leading dimensions of ${describe()} do not broadcast`);
  }
  const aStrides = broadcastStrides(leadA, lead, rows * innerA);
  const bStrides = broadcastStrides(leadB, lead, innerA * columns);
  const batch = mergeBatch(
    lead.map((size, i) => ({ size, aStride: aStrides[i] ?? 0, bStride: bStrides[i] ?? 0 })),
  );
  return {
    shape: [...lead, rows, columns],
    extent: { batch, rows, columns, inner: innerA, transposeA, transposeB },
  };
}

function matrix(shape: Shape, transposed: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2);
  if (rows === undefined || columns === undefined) {
    throw new RangeError(`matmul needs at least one dimension, got ${formatShape(shape)}`);
  }
  return transposed ? [columns, rows] : [rows, columns];
}

/** Strides in elements of dimensions `from` whose items have `item` elements, seen as `to`: 0 where broadcast. */
function broadcastStrides(from: Shape, to: Shape, item: number): number[] {
  const strides = contiguousStrides(from);
  return to.map((_, i) => {
    const at = i - to.length + from.length;
    return at < 0 || from[at] === 1 ? 0 : (strides[at] ?? 0) * item;
  });
}

const storage = (shape: Shape, transposed: boolean): string =>
  `${formatShape(shape)}${transposed ? ' transposed' : ''}`;

// Forward

export const matmulOp: Op<MatmulExtent> = {
  name: 'matmul',
  half: { inputs: [0, 1], outputs: 'all' },
  product: [0, 1],
  lower: (context, { inputs, outputs, attrs }) => {
    const [a, b] = two(inputs.slice(0, 2));
    return matmulKernel(context, attrs, a, b, inputs[2] ?? null, one(outputs));
  },
};

/**
 * Matrix product over the last two dimensions, [.., m, k] with [.., k, n], leading dimensions broadcast. A vector counts
 * as a row on the left and a column on the right, as in PyTorch. Throws a RangeError where sizes do not fit, a TypeError
 * for integers.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = checkOptions('matmul', options, MATMUL_OPTIONS);
  checkFloats('matmul', { a, b });
  if (a.shape.length === 1 || b.shape.length === 1) return withVectors(a, b, transposeA, transposeB);
  const { shape, extent } = planOf(a.shape, b.shape, transposeA, transposeB);
  if (b.shape.length === 2 && a.shape.length > 2 && !transposeA) {
    // Every matrix of a batch against one: a single matrix with more rows, and one product for dB.
    return reshape(product(flat(a), b, planOf(flatShape(a.shape), b.shape, false, transposeB)), shape);
  }
  return product(a, b, { shape, extent });
}

function product(a: Tensor, b: Tensor, { shape, extent }: Plan): Tensor {
  const y = recordOne(matmulOp, [a, b], { shape }, extent);
  return differentiable(y, [a, b], [a, b], (dy, saved, [needsA, needsB]) => {
    const [a, b] = two(saved);
    const { transposeA, transposeB } = extent;
    return [
      needsA === true ? sumToShape(gradientOfA(dy, b, transposeA, transposeB), a.shape) : null,
      needsB === true ? sumToShape(gradientOfB(dy, a, transposeA, transposeB), b.shape) : null,
    ];
  });
}

/** PyTorch's rule for vectors: a missing dimension of size 1 is put in, and taken out of the result. */
function withVectors(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const rowA = a.shape.length === 1;
  const columnB = b.shape.length === 1;
  const y = matmul(rowA ? reshape(a, [1, a.numel]) : a, columnB ? reshape(b, [b.numel, 1]) : b, {
    transposeA: transposeA && !rowA,
    transposeB: transposeB && !columnB,
  });
  const lead = y.shape.slice(0, -2);
  const [rows, columns] = matrix(y.shape, false);
  return reshape(y, [...lead, ...(rowA ? [] : [rows]), ...(columnB ? [] : [columns])]);
}

/**
 * y = x W^T + b for x [.., in], weight [out, in], bias [out] or null, giving [.., out]. Throws a RangeError where sizes
 * do not fit, a TypeError for integers.
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  checkFloats('linear', { x, weight, bias });
  const [outFeatures = 0, inFeatures = 0] = weight.shape;
  if (weight.shape.length !== 2 || x.shape.length < 1 || x.shape.at(-1) !== inFeatures) {
    throw new RangeError(
      `linear: an input of ${formatShape(x.shape)} does not fit a weight of ${formatShape(weight.shape)}, which is [out, in]`,
    );
  }
  if (bias !== null && !sameShape(bias.shape, [outFeatures])) {
    throw new RangeError(`linear: the bias is ${formatShape(bias.shape)}, expected [${outFeatures}]`);
  }
  const y = affine(x.shape.length === 2 ? x : flat(x), weight, bias);
  return x.shape.length === 2 ? y : reshape(y, [...x.shape.slice(0, -1), outFeatures]);
}

function affine(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const { shape, extent } = planOf(x.shape, weight.shape, false, true);
  const inputs = bias === null ? [x, weight] : [x, weight, bias];
  const y = recordOne(matmulOp, inputs, { shape }, extent);
  return differentiable(y, inputs, [x, weight], (dy, saved, [needsX, needsWeight, needsBias]) => {
    const [x, weight] = two(saved);
    return [
      needsX === true ? matmul(dy, weight) : null,
      needsWeight === true ? matmul(dy, x, { transposeA: true }) : null,
      needsBias === true ? channelSums(dy) : null,
    ];
  });
}

const flatShape = (shape: Shape): Shape => [elementCount(shape.slice(0, -1)), shape.at(-1) ?? 1];

const flat = (x: Tensor): Tensor => reshape(x, flatShape(x.shape));

// Backward

function gradientOfA(dy: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  if (transposeA) return matmul(b, dy, { transposeA: transposeB, transposeB: true });
  return matmul(dy, b, { transposeB: !transposeB });
}

function gradientOfB(dy: Tensor, a: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  if (transposeB) return matmul(dy, a, { transposeA: true, transposeB: transposeA });
  return matmul(a, dy, { transposeA: !transposeA });
}
