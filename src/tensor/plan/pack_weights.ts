import type { RecordedNode } from '../graph/node.ts';
import { LogicalStorage } from '../graph/storage.ts';
import { Value } from '../graph/value.ts';

/** Copies as f16 of parameters that products read: of a whole flat vector at once, or of a parameter that lies alone. */
export interface PackedWeights {
  readonly from: LogicalStorage;
  readonly to: LogicalStorage;
  /** Parameters in `from` that the plan reads as f16. */
  readonly parameters: ReadonlySet<LogicalStorage>;
}

/**
 * Nodes in which products read copies of their parameters. A parameter that the plan changes before its last such
 * reader is read as it is.
 */
export function packWeights(nodes: readonly RecordedNode[]): {
  readonly nodes: RecordedNode[];
  readonly packed: readonly PackedWeights[];
  /** Whether the updates in the plan write the copies too, so that they are current after a run. */
  readonly followed: boolean;
} {
  const lastRead = new Map<LogicalStorage, number>();
  const parameterAt = ({ op, inputs }: RecordedNode, index: number): LogicalStorage | null => {
    const storage = inputs[index]?.storage;
    return op.product?.includes(index) === true && storage?.role === 'parameter' && storage.dtype === 'f32'
      ? storage
      : null;
  };
  nodes.forEach((node, at) => {
    for (const index of node.op.product ?? []) {
      const parameter = parameterAt(node, index);
      if (parameter !== null) lastRead.set(rootOf(parameter), at);
    }
  });
  nodes.forEach(({ op, inputs }, at) => {
    for (const index of op.mutates ?? []) {
      const changed = inputs[index]?.storage;
      for (const [root, last] of lastRead)
        if (at < last && changed?.overlaps(root) === true) lastRead.delete(root);
    }
  });
  const copies = new Map<LogicalStorage, PackedWeights & { readonly parameters: Set<LogicalStorage> }>();
  const values = new Map<Value, Value>();
  const packedValue = (value: Value, root: LogicalStorage): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const copy = copies.get(root) ?? { from: root, to: copyOf(root), parameters: new Set() };
    copies.set(root, copy);
    copy.parameters.add(value.storage);
    const made = new Value(value.shape, placeIn(copy.to, value.storage));
    values.set(value, made);
    return made;
  };
  const reading = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((value, index) => {
      const parameter = parameterAt(node, index);
      const root = parameter && rootOf(parameter);
      return root !== null && lastRead.has(root) ? packedValue(value, root) : value;
    }),
  }));
  return { ...withUpdates(reading, copies), packed: [...copies.values()] };
}

/** Lets updates of packed parameters write the copies. */
function withUpdates(
  nodes: readonly RecordedNode[],
  copies: ReadonlyMap<LogicalStorage, PackedWeights>,
): { nodes: RecordedNode[]; followed: boolean } {
  let followed = true;
  const updated = nodes.map((node) => {
    const { op, inputs, attrs } = node;
    const copy = op.updatesCopy ? copies.get(inputs[0]?.storage as LogicalStorage) : undefined;
    if (copy !== undefined) return { ...node, attrs: { ...(attrs as object), packed: copy.to } };
    const changed = (op.mutates ?? []).map((index) => inputs[index]?.storage);
    if (changed.some((storage) => [...copies.keys()].some((root) => storage?.overlaps(root))))
      followed = false;
    return node;
  });
  return { nodes: updated, followed };
}

/** Numbers that change whenever elements of the parameters do. */
export const versionsOf = (packed: readonly PackedWeights[]): string =>
  packed.flatMap(({ from, parameters }) => [from, ...parameters].map(({ version }) => version)).join();

/** False where a parameter has moved, so that its copy is of what is no longer used. */
export const isCurrent = (packed: readonly PackedWeights[]): boolean =>
  packed.every(({ from, parameters }) => [...parameters].every((parameter) => rootOf(parameter) === from));

const rootOf = (parameter: LogicalStorage): LogicalStorage => parameter.part?.whole ?? parameter;

const copyOf = ({ length, label }: LogicalStorage): LogicalStorage =>
  new LogicalStorage('f16', length, `${label} as f16`, 'packed');

/** Where a parameter's copy lies in the copy of the whole. */
function placeIn(whole: LogicalStorage, { part, length, label }: LogicalStorage): LogicalStorage {
  if (part === null) return whole;
  const place = new LogicalStorage('f16', length, `${label} as f16`, 'packed');
  place.part = { whole, offset: part.offset };
  place.resident = true;
  whole.handles++;
  return place;
}
