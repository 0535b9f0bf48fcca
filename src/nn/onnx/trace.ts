import type { DType } from '../../gpu/dispatch.ts';
import { noGrad } from '../../tensor/graph/autograd.ts';
import type { Device } from '../../tensor/device.ts';
import type { RecordedNode, Recording } from '../../tensor/graph/recording.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { Value } from '../../tensor/graph/value.ts';
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
      const slot = device.adopt(device.empty(shape));
      graph.tensors.set(slot.value, { name, shape });
      return slot;
    });
    const { result, recording } = device.trace(() => noGrad(() => forward(...slots)));
    const captured = new Map<string, Captured>();
    const nameOf = (value: Value, shape: Shape): Named => {
      const known = graph.tensors.get(value);
      if (known) return known;
      const named = names.get(value) ?? { name: `/captured_${captured.size}`, shape };
      value.handles++;
      captured.set(named.name, { value, shape: named.shape });
      graph.tensors.set(value, named);
      return named;
    };
    try {
      for (const node of recording.nodes) translate(graph, node, recording, nameOf);
      for (const [name, tensor] of Object.entries(result)) addOutput(graph, name, tensor, nameOf);
    } finally {
      device.finishUses(recording.nodes);
    }
    const outputs = new Map(
      Object.entries(result).map(([name, { shape, dtype }]) => [name, { shape, dtype }] as const),
    );
    return { graph: withoutDead(graph, new Set(outputs.keys())), outputs, captured };
  });
}

type NameOf = (value: Value, shape: Shape) => Named;

function translate(graph: Graph, node: RecordedNode, recording: Recording, nameOf: NameOf): void {
  const map = MAPPINGS.get(node.op);
  const shapes = recording.shapes.get(node);
  if (map === undefined || shapes === undefined) {
    throw new Error(
      `the op '${node.op.name}' has no ONNX mapping: export a net in evaluation mode (eval()), made of ops that have one`,
    );
  }
  const inputs = node.inputs.flatMap((value, i) => {
    if (graph.statistics.has(value)) return [];
    const shape = shapes.inputs[i] ?? [];
    return [{ name: reshaped(graph, nameOf(value, shape), shape), shape }];
  });
  const view: NodeView<unknown> = {
    inputs,
    inputValues: node.inputs,
    outputs: shapes.outputs,
    outputValues: node.outputs,
    attrs: node.attrs,
  };
  map(graph, view as NodeView<never>).forEach((name, i) => {
    const [value, shape] = [node.outputs[i], shapes.outputs[i]];
    if (value !== undefined && shape !== undefined) graph.tensors.set(value, { name, shape });
  });
}

/** Adds an Identity node with the result's name, because one tensor may be several results. */
function addOutput(graph: Graph, name: string, { value, shape }: Tensor, nameOf: NameOf): void {
  const from = reshaped(graph, nameOf(value, shape), shape);
  graph.nodes.push({ type: 'Identity', inputs: [from], outputs: [name], attributes: {} });
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
