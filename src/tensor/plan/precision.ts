import { cloneOp, reshapeOp } from '../graph/basic_ops.ts';
import type { HalfRule, RecordedNode } from '../graph/node.ts';
import { LogicalStorage } from '../graph/storage.ts';
import { Value } from '../graph/value.ts';
import { isInternal } from './fuse/graph.ts';

/**
 * The nodes with those values stored as f16 that only the plan sees and that every node which makes or reads them allows
 * (`Op.half`). Nodes and values are new, so that the recording stays as it is.
 */
export function inHalves(nodes: readonly RecordedNode[]): RecordedNode[] {
  const refused = new Set<LogicalStorage>();
  for (const { op, inputs, outputs } of nodes) {
    const rule = op === reshapeOp ? 'all' : op.half;
    inputs.forEach(({ storage }, i) => allows(rule, 'inputs', i) || refused.add(storage));
    outputs.forEach(({ storage }, i) => allows(rule, 'outputs', i) || refused.add(storage));
  }
  const halves = new Map<LogicalStorage, LogicalStorage>();
  const values = new Map<Value, Value>();
  const stored = (value: Value): Value => {
    const { storage, shape, dtype } = value;
    if (dtype !== 'f32' || !isInternal(value) || refused.has(storage)) return value;
    const half = halves.get(storage) ?? new LogicalStorage('f16', storage.length, storage.label);
    halves.set(storage, half);
    const known = values.get(value) ?? new Value(shape, half);
    values.set(value, known);
    return known;
  };
  return nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(stored),
    outputs: node.outputs.map(stored),
  }));
}

/**
 * Nodes in which products read whatever else is stored as f32, such as a step's inputs, as a copy in f16 that is made before, so that they
 * run on matrix units.
 */
export function withHalfOperands(nodes: readonly RecordedNode[]): RecordedNode[] {
  const copies = new Map<Value, Value>();
  return nodes.flatMap((node) => {
    const { op, inputs } = node;
    const made: RecordedNode[] = [];
    const operands = inputs.map((value, i) => {
      if (op.product?.includes(i) !== true || value.dtype !== 'f32') return value;
      const known = copies.get(value);
      if (known !== undefined) return known;
      const { shape, storage } = value;
      const half = new Value(shape, new LogicalStorage('f16', storage.length, `${storage.label} as f16`));
      copies.set(value, half);
      made.push({ op: cloneOp, inputs: [value], outputs: [half], attrs: null });
      return half;
    });
    for (const index of op.mutates ?? [])
      for (const source of copies.keys())
        if (inputs[index]?.storage.overlaps(source.storage) === true) copies.delete(source);
    return [...made, { ...node, inputs: operands }];
  });
}

function allows(rule: HalfRule | undefined, side: 'inputs' | 'outputs', index: number): boolean {
  if (rule === undefined || rule === 'all') return rule === 'all';
  const indices = rule[side] ?? [];
  return indices === 'all' || indices.includes(index);
}
