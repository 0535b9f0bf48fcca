import type { DType } from '../../gpu/dispatch.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import { reshapeOp } from '../../tensor/graph/basic_ops.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { Op, RecordedNode } from '../../tensor/graph/node.ts';
import { Tensor } from '../../tensor/graph/tensor.ts';
import { Value } from '../../tensor/graph/value.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { emptyGraph, reshaped, type Graph, type Mapping, type Named, type NodeView } from './graph.ts';
import { LAYERS } from './layers.ts';
import { MOVEMENT } from './movement.ts';
import { REDUCTIONS } from './reductions.ts';

const MAPPINGS: ReadonlyMap<RecordedNode['op'], Mapping<never>> = new Map([
  ...LAYERS,
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...MOVEMENT,
]);

/** The graph of a function of tensors, for inputs of a fixed size. */
export interface TracedGraph {
  readonly graph: Graph;
  /** Shapes and types of the results. */
  readonly outputs: ReadonlyMap<string, Output>;
  /** Tensors that the graph reads beside its inputs, by name. The caller must release each. */
  readonly captured: ReadonlyMap<string, Captured>;
}

interface Output {
  readonly shape: Shape;
  readonly dtype: DType;
}

interface Captured {
  readonly value: Value;
  readonly shape: Shape;
}

/**
 * Records `forward` on inputs of these shapes, without gradients, and translates the recording. `names` has the names of
 * parameters and buffers. Throws an Error that names the first op without an ONNX mapping.
 */
export function traceGraph(
  device: Device,
  inputs: ReadonlyMap<string, Shape>,
  forward: (...inputs: Tensor[]) => Readonly<Record<string, Tensor>>,
  names: ReadonlyMap<Value, Named>,
): TracedGraph {
  const graph = emptyGraph();
  return device.scope(() => {
    const slots = [...inputs].map(([name, shape]) => {
      const slot = device.adopt(new Tensor(device, Value.create('f32', shape, `input ${name}`, 'input')));
      graph.tensors.set(slot.value, { name, shape });
      return slot;
    });
    const { result, made, recording } = device.trace(() => noGrad(() => forward(...slots)));
    const captured = new Map<string, Captured>();
    const nameOf = (value: Value): Named => {
      const known = graph.tensors.get(value);
      if (known) return known;
      const named = names.get(value) ?? { name: `/captured_${captured.size}`, shape: value.shape };
      value.storage.handles++;
      captured.set(named.name, { value, shape: named.shape });
      graph.tensors.set(value, named);
      return named;
    };
    try {
      for (const node of recording.nodes) translate(graph, node, nameOf);
      for (const [name, tensor] of Object.entries(result)) addOutput(graph, name, tensor, nameOf);
      const outputs = new Map(
        Object.entries(result).map(([name, { shape, dtype }]) => [name, { shape, dtype }] as const),
      );
      return { graph: withoutDead(graph, new Set(outputs.keys())), outputs, captured };
    } finally {
      device.settle(recording);
      device.finishUses(recording.nodes);
      for (const tensor of made) tensor.dispose();
    }
  });
}

type NameOf = (value: Value) => Named;

function translate(graph: Graph, node: RecordedNode, nameOf: NameOf): void {
  const [first] = node.inputs;
  if ((node.op as Op<unknown>) === reshapeOp && first !== undefined) {
    for (const output of node.outputs) {
      const name = reshaped(graph, nameOf(first), output.shape);
      graph.tensors.set(output, { name, shape: output.shape });
    }
    return;
  }
  const map = MAPPINGS.get(node.op);
  if (map === undefined) {
    throw new Error(
      `the op '${node.op.name}' has no ONNX mapping: export a net in evaluation mode (eval()), made of ops that have one`,
    );
  }
  const view: NodeView<unknown> = {
    inputs: node.inputs.flatMap((value) => (graph.statistics.has(value) ? [] : [nameOf(value)])),
    inputValues: node.inputs,
    outputs: node.outputs.map(({ shape }) => shape),
    outputValues: node.outputs,
    attrs: node.attrs,
  };
  map(graph, view as NodeView<never>).forEach((name, i) => {
    const value = node.outputs[i];
    if (value !== undefined) graph.tensors.set(value, { name, shape: value.shape });
  });
}

/** Adds an Identity node with the result's name, because one tensor may be several results. */
function addOutput(graph: Graph, name: string, { value }: Tensor, nameOf: NameOf): void {
  graph.nodes.push({ type: 'Identity', inputs: [nameOf(value).name], outputs: [name], attributes: {} });
}

/** The graph without nodes that no output depends on, such as the unread indices of a maximum. */
function withoutDead(graph: Graph, outputs: ReadonlySet<string>): Graph {
  const needed = new Set(outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of node.inputs) needed.add(name);
    return true;
  });
  const constants = new Map([...graph.constants].filter(([name]) => needed.has(name)));
  return { ...graph, nodes: nodes.toReversed(), constants };
}
