/** Elementwise ops as ONNX nodes. */
import type { DType } from '../../gpu/dispatch.ts';
import { addOp, cloneOp } from '../../tensor/graph/basic_ops.ts';
import { BINARY_OPS } from '../../tensor/ops/binary.ts';
import { whereOp } from '../../tensor/ops/select.ts';
import { UNARY_OPS } from '../../tensor/ops/unary.ts';
import {
  DATA_TYPES,
  emit,
  float,
  inputAt,
  int,
  mapping,
  scalar,
  type AnyMapping,
  type Graph,
  type Mapping,
  type NodeView,
  type OnnxType,
} from './graph.ts';

type UnaryAttrs = Parameters<(typeof UNARY_OPS)['relu']['lower']>[1]['attrs'];
type BinaryAttrs = Parameters<(typeof BINARY_OPS)['add']['op']['lower']>[1]['attrs'];
type Sides = (typeof BINARY_OPS)[keyof typeof BINARY_OPS];

export const castTo = (graph: Graph, name: string, dtype: OnnxType): string =>
  emit(graph, 'Cast', [name], { to: int(DATA_TYPES[dtype]) });

const simple =
  (type: string): Mapping<UnaryAttrs> =>
  (graph, node) => [emit(graph, type, [inputAt(node, 0).name])];

/** A mapping to a node with constants (limits, an exponent) as further inputs. An empty name stands for an absent input. */
const withConstants =
  (
    type: string,
    constants: (attrs: UnaryAttrs['constants']) => readonly (number | null)[],
  ): Mapping<UnaryAttrs> =>
  (graph, node) => {
    const values = constants(node.attrs.constants).map((value) =>
      value === null ? '' : scalar(graph, 'f32', value),
    );
    return [emit(graph, type, [inputAt(node, 0).name, ...values])];
  };

const power = withConstants('Pow', ({ p = 1 }) => [p]);

const UNARY: readonly AnyMapping[] = [
  mapping(UNARY_OPS.relu, simple('Relu')),
  mapping(UNARY_OPS.leakyRelu, (graph, node) => [
    emit(graph, 'LeakyRelu', [inputAt(node, 0).name], { alpha: float(node.attrs.constants.p ?? 0) }),
  ]),
  mapping(UNARY_OPS.sigmoid, simple('Sigmoid')),
  mapping(UNARY_OPS.tanh, simple('Tanh')),
  mapping(UNARY_OPS.exp, simple('Exp')),
  mapping(UNARY_OPS.log, simple('Log')),
  mapping(UNARY_OPS.sqrt, simple('Sqrt')),
  mapping(UNARY_OPS.abs, simple('Abs')),
  mapping(UNARY_OPS.neg, simple('Neg')),
  mapping(UNARY_OPS.reciprocal, simple('Reciprocal')),
  mapping(UNARY_OPS.square, (graph, node) => {
    const { name } = inputAt(node, 0);
    return [emit(graph, 'Mul', [name, name])];
  }),
  mapping(
    UNARY_OPS.clamp,
    withConstants('Clip', ({ p = 0, q = 0 }) => [p, q]),
  ),
  mapping(
    UNARY_OPS.clampMin,
    withConstants('Clip', ({ p = 0 }) => [p]),
  ),
  mapping(
    UNARY_OPS.clampMax,
    withConstants('Clip', ({ q = 0 }) => [null, q]),
  ),
  mapping(UNARY_OPS.wholePow, power),
  mapping(UNARY_OPS.pow, power),
];

/** Both operands in the order of the call. In the op, a number is always the second operand, whichever side it was on. */
function operands(graph: Graph, node: NodeView<BinaryAttrs>): readonly [string, string] {
  const a = inputAt(node, 0).name;
  const { b } = node.attrs;
  if (typeof b !== 'number') return [a, inputAt(node, 1).name];
  return [a, scalar(graph, dtypeOf(node, 0), b)];
}

function dtypeOf({ inputValues }: NodeView<unknown>, i: number): DType {
  return inputValues[i]?.dtype ?? 'f32';
}

/** A mapping to a node of `type`, with the operands swapped if a number is on the left. */
function binary(
  { op, swapped }: Sides,
  type: string,
  finish = (_: Graph, name: string) => name,
): AnyMapping[] {
  return [
    mapping(op, (graph, node) => [finish(graph, emit(graph, type, operands(graph, node)))]),
    mapping(swapped, (graph, node) => {
      const [tensor, number] = operands(graph, node);
      return [finish(graph, emit(graph, type, [number, tensor]))];
    }),
  ];
}

/** Mappings of a comparison, whose boolean result in ONNX is cast to f32. */
const comparison = (sides: Sides, type: string): AnyMapping[] =>
  binary(sides, type, (graph, name) => castTo(graph, name, 'f32'));

const BINARY: readonly AnyMapping[] = [
  ...binary(BINARY_OPS.add, 'Add'),
  ...binary(BINARY_OPS.sub, 'Sub'),
  ...binary(BINARY_OPS.mul, 'Mul'),
  ...binary(BINARY_OPS.div, 'Div'),
  ...binary(BINARY_OPS.maximum, 'Max'),
  ...binary(BINARY_OPS.minimum, 'Min'),
  ...comparison(BINARY_OPS.eq, 'Equal'),
  ...binary(BINARY_OPS.ne, 'Equal', (graph, name) => castTo(graph, emit(graph, 'Not', [name]), 'f32')),
  ...comparison(BINARY_OPS.lt, 'Less'),
  ...comparison(BINARY_OPS.le, 'LessOrEqual'),
  ...comparison(BINARY_OPS.gt, 'Greater'),
  ...comparison(BINARY_OPS.ge, 'GreaterOrEqual'),
  mapping(addOp, (graph, node) => [emit(graph, 'Add', [inputAt(node, 0).name, inputAt(node, 1).name])]),
];

export const ELEMENTWISE: readonly AnyMapping[] = [
  ...UNARY,
  ...BINARY,
  mapping(cloneOp, (graph, node) => {
    const { name } = inputAt(node, 0);
    const to = node.outputValues[0]?.dtype ?? 'f32';
    return [dtypeOf(node, 0) === to ? emit(graph, 'Identity', [name]) : castTo(graph, name, to)];
  }),
  mapping(whereOp, (graph, node) => {
    const dtype = node.outputValues[0]?.dtype ?? 'f32';
    const { a, b } = node.attrs;
    const condition = castTo(graph, inputAt(node, 0).name, 'bool');
    const first = a === null ? inputAt(node, 1).name : scalar(graph, dtype, a);
    const last = b === null ? inputAt(node, node.inputs.length - 1).name : scalar(graph, dtype, b);
    return [emit(graph, 'Where', [condition, first, last])];
  }),
];
