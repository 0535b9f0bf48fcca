import { concatOp } from '../../ops/movement.ts';
import { readPartOp } from '../../ops/parts.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { contiguousStrides, elementCount } from '../../graph/shape.ts';
import { channelsOf, columnsOf } from './forms.ts';
import type { Fusion } from './fusion.ts';
import { attrsOf, isInternal } from './graph.ts';

/** A concatenation whose parts were made in their places. */
export function fuseConcat(fusion: Fusion, node: RecordedNode): boolean {
  const [whole] = node.outputs;
  const { shape, shapes } = attrsOf(node, concatOp);
  if (whole === undefined) return false;
  const mapOf = (dims: readonly number[]) => {
    const [images = 1, channels = 1, ...pixels] = dims;
    return { images, channels, pixels: elementCount(pixels) };
  };
  const target = fusion.target(whole, mapOf(shape));
  let next = target.offset;
  const placed = node.inputs.every((part, i) => {
    const place = fusion.target(part, mapOf(shapes[i] ?? []));
    const fits = place.buffer !== part.storage && place.buffer === target.buffer && place.offset === next;
    next += place.channels;
    return fits;
  });
  if (!placed) return false;
  fusion.written(whole);
  return true;
}

/** Channels of a gradient whose parts are read apart from one another: a view of them. */
export function fuseSlice(fusion: Fusion, node: RecordedNode): boolean {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const form = x === undefined ? undefined : fusion.forms.get(x);
  const range = channelRange(node);
  if (x === undefined || y === undefined || form?.kind !== 'gradient' || range === null) return false;
  const { first, count } = range;
  // A part may be added to in place: nobody else may read these channels.
  const apart = fusion.graph.readersOf(x).every((reader) => {
    const other = channelRange(reader);
    if (reader === node || other === null) return reader === node;
    return other.first >= first + count || other.first + other.count <= first;
  });
  if (!apart || !isInternal(x)) return false;
  fusion.defer(
    y,
    {
      kind: 'gradient',
      gradient: channelsOf(form.gradient, first, count),
      input: channelsOf(form.input, first, count),
      eps: form.eps,
      sums: columnsOf(form.sums, first),
      coefficients: columnsOf(form.coefficients, first),
    },
    node,
    [...fusion.makersOf(x), node],
  );
  return true;
}

/** Channels that a slice takes, if it takes neighbouring channels whole. */
function channelRange(node: RecordedNode): { readonly first: number; readonly count: number } | null {
  if (node.op !== readPartOp) return null;
  const { whole, part, view } = attrsOf(node, readPartOp);
  const strides = contiguousStrides(whole);
  const [channelStride = 0] = strides.slice(1);
  const dense = view.strides.every((stride, i) => stride === strides[i]);
  const alike = whole.every((size, i) => i === 1 || size === part[i]);
  const [count = 0] = part.slice(1);
  if (!dense || !alike || whole.length < 3 || view.offset % channelStride !== 0) return null;
  return { first: view.offset / channelStride, count };
}
