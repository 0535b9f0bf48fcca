/*
 * Derives a graph for any batch size from graphs for two sizes. A part that is equal in both is kept. A dimension that grows
 * with the batch becomes -1 in a Reshape, or a named dimension in an input or output. Any other difference fixes the batch.
 */
import type { DType } from '../../gpu/dispatch.ts';
import { sameShape, type Shape } from '../../tensor/graph/shape.ts';
import type { Constant, OnnxNode } from './graph.ts';
import type { TracedGraph } from './trace.ts';

/** Two batch sizes that are unlikely to equal another dimension of a net. */
export const BATCHES = [11, 13] as const;

/** A fixed size, or the name of a dynamic dimension. */
export type Dim = number | string;

interface BatchedOutput {
  readonly dims: readonly Dim[];
  readonly dtype: DType;
}

export interface BatchedGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly outputs: ReadonlyMap<string, BatchedOutput>;
}

/** The name of the batch dimension. */
export const BATCH = 'batch';

/** The graph for every batch size, or the reason why there is none. `a` and `b` are the graphs for BATCHES. */
export function mergeBatches(a: TracedGraph, b: TracedGraph): BatchedGraph | string {
  const [nodesA, nodesB] = [a.graph.nodes, b.graph.nodes];
  const odd = nodesA.find((node, i) => JSON.stringify(node) !== JSON.stringify(nodesB[i]));
  if (odd !== undefined || nodesA.length !== nodesB.length) {
    return `${odd === undefined ? 'the number of nodes' : describe(odd)} depends on the batch`;
  }
  for (const [name, { shape }] of a.captured) {
    if (!sameShape(shape, b.captured.get(name)?.shape ?? [])) return `${name} depends on the batch`;
  }
  const targets = new Set(nodesA.flatMap(({ type, inputs }) => (type === 'Reshape' ? inputs.slice(1) : [])));
  const constants = new Map<string, Constant>();
  for (const [name, constant] of a.graph.constants) {
    const other = b.graph.constants.get(name);
    const merged = other && mergeConstant(constant, other, targets.has(name));
    if (merged === undefined) {
      const user = nodesA.find(({ inputs }) => inputs.includes(name));
      return `${user === undefined ? name : describe(user)} depends on the batch`;
    }
    constants.set(name, merged);
  }
  const outputs = new Map<string, BatchedOutput>();
  for (const [name, { shape, dtype }] of a.outputs) {
    const dims = mergeShape(shape, b.outputs.get(name)?.shape ?? []);
    if (dims === undefined) return `a size of ${name} is no multiple of the batch`;
    outputs.set(name, { dims, dtype });
  }
  return { nodes: nodesA, constants, outputs };
}

/** The graph for its own batch size only. */
export function fixedBatch({ graph, outputs }: TracedGraph): BatchedGraph {
  const { nodes, constants } = graph;
  return {
    nodes,
    constants,
    outputs: new Map([...outputs].map(([name, { shape, dtype }]) => [name, { dims: shape, dtype }])),
  };
}

const describe = ({ type, outputs }: OnnxNode): string => `node ${outputs[0] ?? type}`;

function mergeConstant(a: Constant, b: Constant, isTarget: boolean): Constant | undefined {
  if (sameShape(a.shape, b.shape) && sameShape(a.data, b.data)) return a;
  if (!isTarget) return undefined;
  const dims = mergeShape(a.data, b.data);
  if (dims === undefined || dims.filter((dim) => typeof dim === 'string').length !== 1) return undefined;
  return { ...a, data: dims.map((dim) => (typeof dim === 'string' ? -1 : dim)) };
}

/** The common shape, with names for dimensions that are multiples of the batch; undefined if others differ. */
function mergeShape(a: Shape, b: Shape): readonly Dim[] | undefined {
  if (a.length !== b.length) return undefined;
  const dims = a.map((size, i): Dim | undefined => {
    if (size === b[i]) return size;
    const times = size / BATCHES[0];
    if (!Number.isInteger(times) || times * BATCHES[1] !== b[i]) return undefined;
    return times === 1 ? BATCH : `${times}*${BATCH}`;
  });
  return dims.every((dim) => dim !== undefined) ? dims : undefined;
}
