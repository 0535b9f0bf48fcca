/** Sums, means, maxima and minima over dimensions as ONNX nodes. */
import type { Block, Extent } from '../../kernels/reduce.ts';
import { alongOp } from '../../tensor/ops/extreme.ts';
import { argmaxOp, extremeOp, sumOp } from '../../tensor/ops/reduce.ts';
import { elementCount, formatShape, type Shape } from '../../tensor/graph/shape.ts';
import { castTo } from './elementwise.ts';
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
  type Attributes,
  type Graph,
  type Named,
} from './graph.ts';

/** The dimensions larger than 1 that the blocks reduce. Dimensions of size 1 need no reduction. */
function axesOf(shape: Shape, blocks: readonly Block[]): number[] {
  const axes: number[] = [];
  let block = 0;
  let left = blocks[0]?.size ?? 1;
  shape.forEach((size, axis) => {
    if (size === 1) return;
    if (left === 1) left = blocks[++block]?.size ?? 1;
    if (blocks[block]?.reduced === true) axes.push(axis);
    if (left % size !== 0)
      throw new Error(`a reduction of ${formatShape(shape)} was recorded with blocks that do not fit`);
    left /= size;
  });
  return axes;
}

/** Adds a reduction over `axes` and returns its result in the shape `to`. */
function reduced(
  graph: Graph,
  x: Named,
  axes: readonly number[],
  to: Shape,
  node: (keepDims: Attributes) => string,
): string {
  const keep = to.length === x.shape.length;
  const shape = x.shape.flatMap((size, i) => (!axes.includes(i) ? [size] : keep ? [1] : []));
  return reshaped(graph, { name: node({ keepdims: int(Number(keep)) }), shape }, to);
}

const sum = mapping(sumOp, (graph, node) => {
  const x = inputAt(node, 0);
  const to = outputAt(node);
  const { blocks, scale } = node.attrs;
  const axes = axesOf(x.shape, blocks);
  const scaled = (name: string): string =>
    scale === 1 ? name : emit(graph, 'Mul', [name, scalar(graph, 'f32', scale)]);
  // Without axes, ONNX's reductions would reduce all dimensions.
  if (axes.length === 0) return [scaled(reshaped(graph, x, to))];
  const count = elementCount(axes.map((axis) => x.shape[axis] ?? 1));
  if (Math.abs(scale * count - 1) < 1e-9) {
    return [
      reduced(graph, x, axes, to, (keepDims) =>
        emit(graph, 'ReduceMean', [x.name], { axes: ints(axes), ...keepDims }),
      ),
    ];
  }
  const total = reduced(graph, x, axes, to, (keepDims) =>
    emit(graph, 'ReduceSum', [x.name, constant(graph, 'i64', axes)], keepDims),
  );
  return [scaled(total)];
});

const extreme = mapping(extremeOp, (graph, node) => {
  const x = inputAt(node, 0);
  const { kind, blocks } = node.attrs;
  const axes = axesOf(x.shape, blocks);
  if (axes.length === 0) return [reshaped(graph, x, outputAt(node))];
  return [
    reduced(graph, x, axes, outputAt(node), (keepDims) =>
      emit(graph, kind === 'max' ? 'ReduceMax' : 'ReduceMin', [x.name], { axes: ints(axes), ...keepDims }),
    ),
  ];
});

/** The tensor and its dimension that is the middle of the extent. It gets rank 3 if the middle is no single dimension. */
export function seenAlong(
  graph: Graph,
  x: Named,
  { outer, reduce, inner }: Extent,
): { x: Named; axis: number } {
  const axis = x.shape.findIndex((size, i) => size === reduce && elementCount(x.shape.slice(0, i)) === outer);
  if (axis >= 0) return { x, axis };
  const shape = [outer, reduce, inner];
  return { x: { name: reshaped(graph, x, shape), shape }, axis: 1 };
}

function arg(graph: Graph, type: 'ArgMax' | 'ArgMin', from: Named, extent: Extent, to: Shape): string {
  const { x, axis } = seenAlong(graph, from, extent);
  const name = reduced(graph, x, [axis], to, (keepDims) =>
    emit(graph, type, [x.name], { axis: int(axis), ...keepDims }),
  );
  return castTo(graph, name, 'i32');
}

const along = mapping(alongOp, (graph, node) => {
  const { kind, extent } = node.attrs;
  const from = inputAt(node, 0);
  const { x, axis } = seenAlong(graph, from, extent);
  const values = reduced(graph, x, [axis], outputAt(node), (keepDims) =>
    emit(graph, kind === 'max' ? 'ReduceMax' : 'ReduceMin', [x.name], { axes: ints([axis]), ...keepDims }),
  );
  return [values, arg(graph, kind === 'max' ? 'ArgMax' : 'ArgMin', from, extent, outputAt(node, 1))];
});

export const REDUCTIONS: readonly AnyMapping[] = [
  sum,
  extreme,
  along,
  mapping(argmaxOp, (graph, node) => [arg(graph, 'ArgMax', inputAt(node, 0), node.attrs, outputAt(node))]),
];
