import { fill } from '../../kernels/elementwise.ts';
import { stridedCopy } from '../../kernels/movement.ts';
import type { View } from '../../kernels/strided.ts';
import { one } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import { contiguousStrides, formatShape, normalizeDim, sizeAt, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';

/*
 * A part of a larger whole, element e of the part at offset + e . strides of the whole.
 *
 *   slice   y = the part of x             dx = dy as the part of zeros
 *   pad     y = a frame with x inside     dx = the part of dy
 */

// Reading a part and writing one into a frame: each is the other's backward.

interface PartAttrs {
  readonly whole: Shape;
  readonly part: Shape;
  /** Where the part's elements lie in the whole. */
  readonly view: View;
  /** What the rest of the whole becomes. */
  readonly value: number;
}

export const readPartOp: Op<PartAttrs> = {
  name: 'slice',
  lower: ({ geometry }, { inputs, outputs, attrs: { part, view } }) => [
    stridedCopy(
      geometry,
      part,
      { buffer: one(inputs), view },
      { buffer: one(outputs), view: denseView(part) },
      true,
    ),
  ],
};

export const writePartOp: Op<PartAttrs> = {
  name: 'pad',
  lower: ({ geometry }, { inputs, outputs, attrs: { part, view, value } }) => [
    fill(geometry, one(outputs), value),
    stridedCopy(
      geometry,
      part,
      { buffer: one(inputs), view: denseView(part) },
      { buffer: one(outputs), view },
      false,
    ),
  ],
};

function readPart(x: Tensor, attrs: PartAttrs): Tensor {
  const y = recordOne(readPartOp, [x], { shape: attrs.part, dtype: x.dtype }, attrs);
  return differentiable(y, [x], [], (dy) => [writePart(dy, { ...attrs, value: 0 })]);
}

function writePart(x: Tensor, attrs: PartAttrs): Tensor {
  const y = recordOne(writePartOp, [x], { shape: attrs.whole, dtype: x.dtype }, attrs);
  return differentiable(y, [x], [], (dy) => [readPart(dy, attrs)]);
}

// slice

export interface SliceOptions {
  readonly dim: number;
  /** First element taken, by default 0; from the end where negative. */
  readonly start?: number;
  /** The first one no longer taken, by default the size; from the end where negative. */
  readonly end?: number;
  /** Every step-th element, by default 1. */
  readonly step?: number;
}

/** Elements start, start + step, ... before end along a dimension. Throws a RangeError where nothing is left. */
export function slice(x: Tensor, { dim, start = 0, end, step = 1 }: SliceOptions): Tensor {
  const at = normalizeDim(x.shape, dim);
  const size = sizeAt(x.shape, at);
  const from = clampIndex(start, size);
  const to = clampIndex(end ?? size, size);
  if (!Number.isInteger(step) || step < 1)
    throw new RangeError(`slice needs a whole step of at least 1, got ${step}`);
  if (!(from < to))
    throw new RangeError(`slice ${start}:${end ?? size} of ${size} elements along ${at} is empty`);
  const strides = contiguousStrides(x.shape);
  const view = {
    offset: from * (strides[at] ?? 0),
    strides: strides.map((stride, i) => (i === at ? stride * step : stride)),
  };
  const part = replaceSize(x.shape, at, Math.ceil((to - from) / step));
  return readPart(x, { whole: x.shape, part, view, value: 0 });
}

const clampIndex = (index: number, size: number): number =>
  Math.min(size, Math.max(0, index < 0 ? index + size : index));

/** Parts of `size` elements along a dimension, the last one smaller where they do not fit. */
export function split(x: Tensor, size: number, dim = 0): Tensor[] {
  const whole = sizeAt(x.shape, dim);
  if (!Number.isInteger(size) || size < 1)
    throw new RangeError(`split needs a whole size of at least 1, got ${size}`);
  return Array.from({ length: Math.ceil(whole / size) }, (_, i) =>
    slice(x, { dim, start: i * size, end: Math.min(whole, (i + 1) * size) }),
  );
}

/** At most `chunks` parts of equal size along a dimension, the last one smaller where they do not fit. */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  if (!Number.isInteger(chunks) || chunks < 1)
    throw new RangeError(`chunk needs a whole number above 0, got ${chunks}`);
  return split(x, Math.ceil(sizeAt(x.shape, dim) / chunks), dim);
}

// pad

/** Frames x with a value: `padding` has [before, after] for each dimension, not negative. */
export function pad(
  x: Tensor,
  padding: readonly (readonly [number, number])[],
  { value = 0 }: { readonly value?: number } = {},
): Tensor {
  const { shape: part } = x;
  if (padding.length !== part.length || padding.flat().some((size) => !Number.isInteger(size) || size < 0)) {
    const given = padding.map((pair) => formatShape(pair)).join(', ');
    throw new RangeError(
      `pad of ${formatShape(part)} needs two whole numbers for each dimension, got [${given}]`,
    );
  }
  const whole = part.map((size, i) => size + (padding[i]?.[0] ?? 0) + (padding[i]?.[1] ?? 0));
  const strides = contiguousStrides(whole);
  const offset = padding.reduce((sum, [before], i) => sum + before * (strides[i] ?? 0), 0);
  return writePart(x, { whole, part, view: { offset, strides }, value });
}

const denseView = (shape: Shape): View => ({ offset: 0, strides: contiguousStrides(shape) });

const replaceSize = (shape: Shape, dim: number, size: number): number[] =>
  shape.map((old, i) => (i === dim ? size : old));
