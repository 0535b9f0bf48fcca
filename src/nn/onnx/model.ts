/* Encodes messages of onnx.proto (IR version 8, opset 17) by its field numbers. */
import type { DType } from '../../gpu/dispatch.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { BatchedGraph, Dim } from './batch.ts';
import { DATA_TYPES, type Attribute, type Constant, type OnnxNode } from './graph.ts';
import {
  floatField,
  intField,
  messageField,
  sizeOf,
  stringField,
  type LatePiece,
  type Piece,
} from './protobuf.ts';

/** The oldest operator set for which the nodes are valid; later runtimes read it too. */
const OPSET = 17;
const IR_VERSION = 8;

/** Protocol Buffers' own limit on a message. */
const MAX_BYTES = 2 ** 31 - 1;

interface ModelInput {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  readonly description: string;
}

/** A tensor whose elements are read when the file is written. */
export interface Weight {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly bytes: LatePiece;
}

export interface ModelParts {
  readonly name: string;
  readonly description: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly ModelInput[];
  readonly weights: readonly Weight[];
  readonly graph: BatchedGraph;
}

/** ModelProto. Throws a RangeError above 2 GiB. */
export function encodeModel({ name, description, metadata, inputs, weights, graph }: ModelParts): Piece[] {
  const outputs = [...graph.outputs].map(([output, { dims, dtype }]) => ({
    name: output,
    dims,
    dtype,
    description: '',
  }));
  const graphFields = [
    ...graph.nodes.flatMap((node) => messageField(1, encodeNode(node))),
    ...stringField(2, name),
    ...[...graph.constants].flatMap(([id, constant]) => messageField(5, encodeConstant(id, constant))),
    ...weights.flatMap((weight) => messageField(5, encodeWeight(weight))),
    ...stringField(10, description),
    ...inputs.flatMap((input) => messageField(11, encodeValueInfo(input))),
    ...outputs.flatMap((output) => messageField(12, encodeValueInfo(output))),
  ];
  const model = [
    ...intField(1, IR_VERSION),
    ...stringField(2, 'wavelight'),
    ...stringField(6, description),
    ...messageField(7, graphFields),
    ...messageField(8, [...stringField(1, ''), ...intField(2, OPSET)]),
    ...[...metadata].flatMap(([key, value]) =>
      messageField(14, [...stringField(1, key), ...stringField(2, value)]),
    ),
  ];
  const bytes = sizeOf(model);
  if (bytes <= MAX_BYTES) return model;
  throw new RangeError(
    `the model takes ${bytes} bytes and an ONNX file holds at most ${MAX_BYTES}: export it as safetensors`,
  );
}

/** NodeProto. */
const encodeNode = ({ type, inputs, outputs, attributes }: OnnxNode): Piece[] => [
  ...inputs.flatMap((name) => stringField(1, name)),
  ...outputs.flatMap((name) => stringField(2, name)),
  ...stringField(3, outputs[0] ?? ''),
  ...stringField(4, type),
  ...Object.entries(attributes).flatMap(([name, attribute]) =>
    messageField(5, [...stringField(1, name), ...encodeAttribute(attribute)]),
  ),
];

/** The value and the type of an AttributeProto. */
function encodeAttribute(attribute: Attribute): Piece[] {
  switch (attribute.kind) {
    case 'float':
      return [...floatField(2, attribute.value), ...intField(20, 1)];
    case 'int':
      return [...intField(3, attribute.value), ...intField(20, 2)];
    case 'ints':
      return [...attribute.value.flatMap((value) => intField(8, value)), ...intField(20, 7)];
  }
}

/** TensorProto. */
const encodeTensor = (name: string, dataType: number, shape: Shape, data: Piece): Piece[] => [
  ...shape.flatMap((size) => intField(1, size)),
  ...intField(2, dataType),
  ...stringField(8, name),
  ...messageField(9, [data]),
];

const encodeConstant = (name: string, { dtype, shape, data }: Constant): Piece[] =>
  encodeTensor(name, DATA_TYPES[dtype], shape, elementBytes(dtype, data));

const encodeWeight = ({ name, dtype, shape, bytes }: Weight): Piece[] =>
  encodeTensor(name, DATA_TYPES[dtype], shape, bytes);

function elementBytes(dtype: Constant['dtype'], data: readonly number[]): Uint8Array {
  switch (dtype) {
    case 'f32':
      return new Uint8Array(Float32Array.from(data).buffer);
    case 'i32':
      return new Uint8Array(Int32Array.from(data).buffer);
    case 'u32':
      return new Uint8Array(Uint32Array.from(data).buffer);
    case 'i64':
      return new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
    case 'bool':
    case 'u8':
      return Uint8Array.from(data);
    case 'f16':
      throw new TypeError('a constant of an ONNX graph is not f16: cast it to f32 first');
  }
}

/** ValueInfoProto of a tensor. */
function encodeValueInfo({ name, dtype, dims, description }: ModelInput): Piece[] {
  const shape = dims.flatMap((dim) =>
    messageField(1, typeof dim === 'number' ? intField(1, dim) : stringField(2, dim)),
  );
  const tensorType = [...intField(1, DATA_TYPES[dtype]), ...messageField(2, shape)];
  return [
    ...stringField(1, name),
    ...messageField(2, messageField(1, tensorType)),
    ...stringField(3, description),
  ];
}
