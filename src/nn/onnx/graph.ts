import type { DType } from '../../gpu/dispatch.ts';
import type { Op } from '../../tensor/graph/op.ts';
import { formatShape, sameShape, type Shape } from '../../tensor/graph/shape.ts';
import type { Value } from '../../tensor/graph/value.ts';

/** Element types of ONNX. BOOL only occurs inside a graph. */
export type OnnxType = DType | 'i64' | 'bool';

/** Values of TensorProto.DataType. */
export const DATA_TYPES: Readonly<Record<OnnxType, number>> = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  u32: 12,
};

/** An attribute; the kinds are those of AttributeProto. */
export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] };

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

export type Attributes = Readonly<Record<string, Attribute>>;

export interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** A small constant tensor. */
export interface Constant {
  readonly dtype: OnnxType;
  readonly shape: Shape;
  readonly data: readonly number[];
}

/** A tensor of the graph: its name and shape. */
export interface Named {
  readonly name: string;
  readonly shape: Shape;
}

/** Running statistics of a batch norm in evaluation mode. */
interface RunningStatistics {
  readonly mean: string;
  readonly variance: string;
  readonly eps: number;
}

/** A graph under construction, for inputs of a fixed size. */
export interface Graph {
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, Constant>;
  /** Values that have a name so far. */
  readonly tensors: Map<Value, Named>;
  /** Values that are running statistics and no tensors of the graph. */
  readonly statistics: Map<Value, RunningStatistics>;
}

export const emptyGraph = (): Graph => ({
  nodes: [],
  constants: new Map(),
  tensors: new Map(),
  statistics: new Map(),
});

/** A node of the recording, as input of a mapping. Its inputs have names and the shapes that the op got. */
export interface NodeView<Attrs> {
  readonly inputs: readonly Named[];
  readonly inputValues: readonly Value[];
  /** Shapes of the outputs. */
  readonly outputs: readonly Shape[];
  readonly outputValues: readonly Value[];
  readonly attrs: Attrs;
}

/** Adds the ONNX nodes of an op and returns the names of its outputs, in the op's shapes; empty if nothing is computed. */
export type Mapping<Attrs> = (graph: Graph, node: NodeView<Attrs>) => readonly string[];

export type AnyMapping = readonly [Op<never>, Mapping<never>];

export const mapping = <Attrs>(op: Op<Attrs>, map: Mapping<Attrs>): AnyMapping => [op, map];

/** Appends a node with one output and returns the output's name. */
export function emit(
  graph: Graph,
  type: string,
  inputs: readonly string[],
  attributes: Attributes = {},
): string {
  const name = `/${type}_${graph.nodes.length}`;
  graph.nodes.push({ type, inputs, outputs: [name], attributes });
  return name;
}

/** Adds a constant and returns its name. */
export function constant(graph: Graph, dtype: OnnxType, data: readonly number[], shape?: Shape): string {
  const name = `/constant_${graph.constants.size}`;
  graph.constants.set(name, { dtype, shape: shape ?? [data.length], data });
  return name;
}

export const scalar = (graph: Graph, dtype: DType, value: number): string =>
  constant(graph, dtype, [value], []);

/** The tensor in another shape; no node is added if it has that shape already. */
export function reshaped(graph: Graph, { name, shape }: Named, to: Shape): string {
  return sameShape(shape, to) ? name : emit(graph, 'Reshape', [name, constant(graph, 'i64', to)]);
}

/** Input i of a node. Throws if it has fewer. */
export function inputAt({ inputs }: Pick<NodeView<unknown>, 'inputs'>, i: number): Named {
  const input = inputs[i];
  if (input === undefined)
    throw new Error(`a recorded node has ${inputs.length} inputs, ${i + 1} were asked for`);
  return input;
}

/** The shape of output i. */
export function outputAt({ outputs }: Pick<NodeView<unknown>, 'outputs'>, i = 0): Shape {
  const output = outputs[i];
  if (output === undefined)
    throw new Error(`a recorded node has no output ${i}, only ${outputs.map(formatShape).join()}`);
  return output;
}
