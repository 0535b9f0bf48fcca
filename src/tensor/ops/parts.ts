import { fill } from '../../kernels/elementwise.ts';
import { stridedCopy } from '../../kernels/movement.ts';
import type { View } from '../../kernels/strided.ts';
import { one } from '../../kernels/tuple.ts';
import { differentiable } from '../graph/autograd.ts';
import { recordOne, type Op } from '../graph/op.ts';
import {
  checkOptions,
  dimension,
  integer,
  namedFirst,
  required,
  whole as wholeNumber,
  type OptionKinds,
} from '../graph/options.ts';
import { contiguousStrides, formatShape, normalizeDim, sizeAt, type Shape } from '../graph/shape.ts';
import type { Tensor } from '../graph/tensor.ts';
import { formatValue } from '../graph/wording.ts';
import { dimOf, type DimOption } from './dim_option.ts';
import { checkNumber, checkTensors } from './operands.ts';

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
  half: 'all',
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
  half: 'all',
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

const SLICE_OPTIONS: OptionKinds<SliceOptions> = {
  dim: required(dimension),
  start: integer,
  end: integer,
  step: wholeNumber(1),
};

/**
 * Elements start, start + step, ... before end along a dimension: slice(x, 1, { start: 2 }) or slice(x, { dim: 1, start: 2 }).
 * Throws a RangeError where nothing is left.
 */
export function slice(
  x: Tensor,
  dimOrOptions: number | SliceOptions,
  range?: Omit<SliceOptions, 'dim'>,
): Tensor {
  checkTensors('slice', { x });
  const options = namedFirst<SliceOptions>('slice', 'dim', dimOrOptions, range, SLICE_OPTIONS);
  const { dim, start = 0, end, step = 1 } = options;
  const at = normalizeDim(x.shape, dim, 'slice');
  const size = sizeAt(x.shape, at);
  const from = clampIndex(start, size);
  const to = clampIndex(end ?? size, size);
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
export function split(x: Tensor, size: number, dimOrOption: number | DimOption = 0): Tensor[] {
  checkTensors('split', { x });
  const dim = dimOf('split', dimOrOption);
  const whole = sizeAt(x.shape, dim, 'split');
  if (!Number.isInteger(size) || size < 1)
    throw new RangeError(`split needs one integer of at least 1 for the size, got ${formatValue(size)}`);
  return Array.from({ length: Math.ceil(whole / size) }, (_, i) =>
    slice(x, { dim, start: i * size, end: Math.min(whole, (i + 1) * size) }),
  );
}

/** At most `chunks` parts of equal size along a dimension, the last one smaller where they do not fit. */
export function chunk(x: Tensor, chunks: number, dimOrOption: number | DimOption = 0): Tensor[] {
  checkTensors('chunk', { x });
  const dim = dimOf('chunk', dimOrOption);
  if (!Number.isInteger(chunks) || chunks < 1)
    throw new RangeError(`chunk needs an integer of at least 1 for the chunks, got ${formatValue(chunks)}`);
  return split(x, Math.ceil(sizeAt(x.shape, dim, 'chunk') / chunks), dim);
}

// pad

export interface PadOptions {
  /** What the frame is made of, by default 0. */
  readonly value?: number;
}

const PAD_OPTIONS: OptionKinds<PadOptions> = {
  value: { what: 'a number', accepts: (value) => typeof value === 'number' },
};

/** [before, after] for each dimension, or PyTorch's flat list: before and after of the last dimension first. */
export type Padding = readonly (readonly [number, number])[] | readonly number[];

/**
 * Frames x with a value. `padding` has pairs [before, after] for all dimensions, first to last; or, without the inner brackets,
 * PyTorch's order: pad(x, [1, 2]) frames the last dimension alone, pad(x, [1, 2, 3, 4]) the last by 1 and 2 and the one before by
 * 3 and 4. Throws a RangeError where it is neither, or negative.
 */
export function pad(x: Tensor, padding: Padding, options: PadOptions = {}): Tensor {
  checkTensors('pad', { x });
  const { value = 0 } = checkOptions('pad', options, PAD_OPTIONS);
  checkNumber('pad', value, x.dtype);
  const { shape: part } = x;
  const pairs = pairsOf(padding, part);
  const whole = part.map((size, i) => size + (pairs[i]?.[0] ?? 0) + (pairs[i]?.[1] ?? 0));
  const strides = contiguousStrides(whole);
  const offset = pairs.reduce((sum, [before], i) => sum + before * (strides[i] ?? 0), 0);
  return writePart(x, { whole, part, view: { offset, strides }, value });
}

function pairsOf(padding: Padding, shape: Shape): readonly (readonly [number, number])[] {
  const list: unknown = padding;
  const refuse = (): RangeError =>
    new RangeError(
      `pad of ${formatShape(shape)} needs [before, after] for each dimension, or a flat list for the last ones, of integers of at least 0, got ${
        Array.isArray(list) ? `[${list.map((item) => formatValue(item)).join(', ')}]` : formatValue(list)
      }`,
    );
  const isSize = (size: unknown): size is number => Number.isInteger(size) && Number(size) >= 0;
  if (!Array.isArray(list)) throw refuse();
  const items = Array.from(list as readonly unknown[]);
  if (items.every(isSize) && items.length % 2 === 0 && items.length <= 2 * shape.length) {
    return shape.map((_, dim) => {
      const at = 2 * (shape.length - 1 - dim);
      return [items[at] ?? 0, items[at + 1] ?? 0] as const;
    });
  }
  const isPair = (item: unknown): item is readonly [number, number] =>
    Array.isArray(item) && item.length === 2 && Array.from(item).every(isSize);
  if (items.length !== shape.length || !items.every(isPair)) throw refuse();
  return items;
}

const denseView = (shape: Shape): View => ({ offset: 0, strides: contiguousStrides(shape) });

const replaceSize = (shape: Shape, dim: number, size: number): number[] =>
  shape.map((old, i) => (i === dim ? size : old));
