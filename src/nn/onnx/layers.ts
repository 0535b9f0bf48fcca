/** Ops of layers as ONNX nodes: convolution, matrix products, normalisation, pooling, softmax. */
import type { PoolShape, Size2d } from '../../kernels/pool.ts';
import { conv2dOp } from '../../tensor/ops/conv.ts';
import { matmulOp } from '../../tensor/ops/matmul.ts';
import { applyOp, runningStatsOp } from '../../tensor/ops/norm.ts';
import { avgPoolOp, maxPoolOp } from '../../tensor/ops/pool.ts';
import { softmaxOp } from '../../tensor/ops/softmax.ts';
import {
  constant,
  emit,
  float,
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
import { seenAlong } from './reductions.ts';

interface Pair {
  readonly y: number;
  readonly x: number;
}

const pair = ({ y, x }: Pair): number[] => [y, x];

const conv = mapping(conv2dOp, (graph, node) => {
  const { kernel, stride, padding, dilation, groups } = node.attrs;
  return [
    emit(
      graph,
      'Conv',
      node.inputs.map(({ name }) => name),
      {
        kernel_shape: ints(pair(kernel)),
        strides: ints(pair(stride)),
        pads: ints([...pair(padding), ...pair(padding)]),
        dilations: ints(pair(dilation)),
        group: int(groups),
      },
    ),
  ];
});

/** Gemm for two matrices, including transposition and bias; MatMul if there are leading dimensions. */
const product = mapping(matmulOp, (graph, node) => {
  const { transposeA, transposeB } = node.attrs;
  const [a, b, bias] = [inputAt(node, 0), inputAt(node, 1), node.inputs[2]];
  if (a.shape.length === 2 && b.shape.length === 2) {
    const names = [a.name, b.name, ...(bias === undefined ? [] : [bias.name])];
    return [emit(graph, 'Gemm', names, { transA: int(Number(transposeA)), transB: int(Number(transposeB)) })];
  }
  const y = emit(graph, 'MatMul', [matrixOf(graph, a, transposeA), matrixOf(graph, b, transposeB)]);
  return [bias === undefined ? y : emit(graph, 'Add', [y, bias.name])];
});

function matrixOf(graph: Graph, { name, shape }: Named, transposed: boolean): string {
  if (!transposed) return name;
  const rank = shape.length;
  const perm = [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2];
  return emit(graph, 'Transpose', [name], { perm: ints(perm) });
}

/** Adds no node: the statistics become inputs of the normalisation that uses them. */
const runningStatistics = mapping(runningStatsOp, (graph, node) => {
  const [stats] = node.outputValues;
  const [mean, variance] = [inputAt(node, 0).name, inputAt(node, 1).name];
  if (stats !== undefined) graph.statistics.set(stats, { mean, variance, eps: node.attrs });
  return [];
});

const batchNorm = mapping(applyOp, (graph, node) => {
  const [x, stats] = node.inputValues;
  const statistics = stats && graph.statistics.get(stats);
  if (x === undefined || statistics === undefined)
    throw new Error(
      'batch normalisation with statistics that are not running ones has no ONNX mapping: call eval()',
    );
  const { hasWeight, hasBias, shape } = node.attrs;
  const fill = (value: number): string =>
    constant(
      graph,
      'f32',
      Array.from({ length: shape.channels }, () => value),
    );
  // The statistics are not among the named inputs, because they are no tensor of the graph.
  const [input, ...affine] = node.inputs;
  const scale = hasWeight ? affine[0]?.name : fill(1);
  const shift = hasBias ? affine.at(-1)?.name : fill(0);
  const inputs = [input?.name ?? '', scale ?? '', shift ?? '', statistics.mean, statistics.variance];
  return [emit(graph, 'BatchNormalization', inputs, { epsilon: float(statistics.eps) })];
});

interface Window {
  readonly kernel: Size2d;
  readonly stride: Size2d;
  readonly begin: Size2d;
  readonly end: Size2d;
  readonly dilation: Size2d;
  /** True if the last window extends beyond the padding, as ceil mode allows. */
  readonly overruns: boolean;
}

/** The window with explicit padding at the end. Throws if windows differ in size, as those of adaptive pooling may. */
function windowOf({ window, input, output }: PoolShape): Window {
  if (window === null) {
    if (input.some((size, i) => size % (output[i] ?? 1) !== 0)) {
      throw new Error(
        `adaptive pooling of ${input.join(' x ')} to ${output.join(' x ')} has windows of several sizes and no ONNX mapping`,
      );
    }
    const kernel: Size2d = [input[0] / output[0], input[1] / output[1]];
    return { kernel, stride: kernel, begin: [0, 0], end: [0, 0], dilation: [1, 1], overruns: false };
  }
  const { kernel, stride, padding, dilation } = window;
  const needed = (axis: 0 | 1): number => {
    const reach = dilation[axis] * (kernel[axis] - 1) + 1;
    return (output[axis] - 1) * stride[axis] + reach - input[axis] - padding[axis];
  };
  const end: Size2d = [Math.max(padding[0], needed(0)), Math.max(padding[1], needed(1))];
  const overruns = end[0] > padding[0] || end[1] > padding[1];
  return { kernel, stride, begin: padding, end, dilation, overruns };
}

const windowAttributes = ({ kernel, stride, begin, end }: Window): Attributes => ({
  kernel_shape: ints(kernel),
  strides: ints(stride),
  pads: ints([...begin, ...end]),
});

const maxPool = mapping(maxPoolOp, (graph, node) => {
  const window = windowOf(node.attrs);
  const { kernel, end, dilation } = window;
  const { name } = inputAt(node, 0);
  const dilations = ints(dilation);
  if (end.every((size, axis) => size < (kernel[axis] ?? 0))) {
    return [emit(graph, 'MaxPool', [name], { ...windowAttributes(window), dilations })];
  }
  // Padding by the lowest value has the same result; a pool's own padding must be smaller than its kernel.
  const pads = constant(graph, 'i64', [0, 0, ...window.begin, 0, 0, ...end]);
  const padded = emit(graph, 'Pad', [name, pads, scalar(graph, 'f32', -Infinity)]);
  const bare = windowAttributes({ ...window, begin: [0, 0], end: [0, 0] });
  return [emit(graph, 'MaxPool', [padded], { ...bare, dilations })];
});

const avgPool = mapping(avgPoolOp, (graph, node) => {
  const { pool, countPadding } = node.attrs;
  const window = windowOf(pool);
  const padded = window.begin.some((size) => size > 0);
  if (countPadding && padded && window.overruns) {
    throw new Error(
      'average pooling in ceil mode that counts its padding has no ONNX mapping: use countIncludePad: false',
    );
  }
  const attributes = { ...windowAttributes(window), count_include_pad: int(Number(countPadding && padded)) };
  return [emit(graph, 'AveragePool', [inputAt(node, 0).name], attributes)];
});

const softmax = mapping(softmaxOp, (graph, node) => {
  const { extent, log } = node.attrs;
  const { x, axis } = seenAlong(graph, inputAt(node, 0), extent);
  const name = emit(graph, log ? 'LogSoftmax' : 'Softmax', [x.name], { axis: int(axis) });
  return [reshaped(graph, { name, shape: x.shape }, outputAt(node))];
});

export const LAYERS: readonly AnyMapping[] = [
  conv,
  product,
  runningStatistics,
  batchNorm,
  maxPool,
  avgPool,
  softmax,
];
