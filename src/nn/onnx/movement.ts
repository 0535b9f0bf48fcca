/** Data movement ops as ONNX nodes. */
import { concatOp, expandOp, permuteOp } from '../../tensor/ops/movement.ts';
import { readPartOp, writePartOp } from '../../tensor/ops/parts.ts';
import { indexSelectOp } from '../../tensor/ops/select.ts';
import { contiguousStrides, type Shape } from '../../tensor/graph/shape.ts';
import {
  constant,
  emit,
  inputAt,
  int,
  ints,
  mapping,
  outputAt,
  reshaped,
  scalar,
  type AnyMapping,
} from './graph.ts';
import { seenAlong } from './reductions.ts';

/** Start of a part in its whole along each dimension. */
function startsOf(whole: Shape, offset: number): number[] {
  let rest = offset;
  return contiguousStrides(whole).map((stride) => {
    const start = Math.floor(rest / stride);
    rest -= start * stride;
    return start;
  });
}

const slice = mapping(readPartOp, (graph, node) => {
  const { whole, part, view } = node.attrs;
  const dense = contiguousStrides(whole);
  const starts = startsOf(whole, view.offset);
  const steps = view.strides.map((stride, i) => stride / (dense[i] ?? 1));
  // Dimensions that are not sliced are left out, so that the batch may have any size.
  const axes = whole.flatMap((size, i) => (part[i] === size && steps[i] === 1 ? [] : [i]));
  if (axes.length === 0) return [inputAt(node, 0).name];
  const along = (values: readonly number[]): number[] => axes.map((axis) => values[axis] ?? 0);
  const ends = part.map((size, i) => (starts[i] ?? 0) + (size - 1) * (steps[i] ?? 1) + 1);
  const settings = [along(starts), along(ends), axes, along(steps)];
  return [
    emit(graph, 'Slice', [inputAt(node, 0).name, ...settings.map((list) => constant(graph, 'i64', list))]),
  ];
});

const pad = mapping(writePartOp, (graph, node) => {
  const { whole, part, view, value } = node.attrs;
  const before = startsOf(whole, view.offset);
  const after = whole.map((size, i) => size - (part[i] ?? 0) - (before[i] ?? 0));
  const pads = constant(graph, 'i64', [...before, ...after]);
  const dtype = node.inputValues[0]?.dtype ?? 'f32';
  return [emit(graph, 'Pad', [inputAt(node, 0).name, pads, scalar(graph, dtype, value)])];
});

/** ONNX's Expand keeps a dimension whose target is 1, so that the batch may have any size. */
const expand = mapping(expandOp, (graph, node) => {
  const { from, shape } = node.attrs;
  const lead = shape.length - from.length;
  const target = shape.map((size, i) => (from[i - lead] === size ? 1 : size));
  return [emit(graph, 'Expand', [inputAt(node, 0).name, constant(graph, 'i64', target)])];
});

const select = mapping(indexSelectOp, (graph, node) => {
  const { outer, rows, inner, selected } = node.attrs;
  const { x, axis } = seenAlong(graph, inputAt(node, 0), { outer, reduce: rows, inner });
  const name = emit(graph, 'Gather', [x.name, inputAt(node, 1).name], { axis: int(axis) });
  const shape = x.shape.map((size, i) => (i === axis ? selected : size));
  return [reshaped(graph, { name, shape }, outputAt(node))];
});

export const MOVEMENT: readonly AnyMapping[] = [
  mapping(permuteOp, (graph, node) => [
    emit(graph, 'Transpose', [inputAt(node, 0).name], { perm: ints(node.attrs.dims) }),
  ]),
  mapping(concatOp, (graph, node) => [
    emit(
      graph,
      'Concat',
      node.inputs.map(({ name }) => name),
      { axis: int(node.attrs.dim) },
    ),
  ]),
  slice,
  pad,
  expand,
  select,
];
