import { reshapeOp } from '../graph/basic_ops.ts';
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

function allows(rule: HalfRule | undefined, side: 'inputs' | 'outputs', index: number): boolean {
  if (rule === undefined || rule === 'all') return rule === 'all';
  const indices = rule[side] ?? [];
  return indices === 'all' || indices.includes(index);
}
