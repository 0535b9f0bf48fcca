import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';
import type { RecordedNode } from '../graph/node.ts';
import type { LogicalStorage } from '../graph/storage.ts';
import type { Value } from '../graph/value.ts';

/** The nodes that something asks for: values with handles, values in memory, or in-place changes of such values. */
export function liveNodes(nodes: readonly RecordedNode[]): RecordedNode[] {
  const needed = new Set<LogicalStorage>();
  const wanted = (value: Value | undefined): boolean =>
    value !== undefined && (value.storage.resident || value.storage.handles > 0 || needed.has(value.storage));
  const live: RecordedNode[] = [];
  for (const node of nodes.toReversed()) {
    const mutated = (node.op.mutates ?? []).map((index) => node.inputs[index]);
    if (!node.outputs.some(wanted) && !mutated.some(wanted)) continue;
    for (const { storage } of node.inputs) needed.add(storage);
    live.push(node);
  }
  return live.reverse();
}

/** First and last dispatch that touch a buffer. */
export interface Lifetime {
  readonly buffer: BufferRef;
  readonly first: number;
  last: number;
}

/** Lifetimes of all buffers that need a place in an arena, in order of first use. */
export function lifetimes(
  dispatches: readonly Dispatch[],
  persists: (buffer: BufferRef) => boolean,
): Lifetime[] {
  const found = new Map<BufferRef, Lifetime>();
  dispatches.forEach((dispatch, index) => {
    for (const { buffer, access } of dispatch.operands) {
      if (persists(buffer)) continue;
      const lifetime = found.get(buffer);
      if (lifetime !== undefined) {
        lifetime.last = index;
        continue;
      }
      // `readwrite` may come first: several dispatches then write a part each, as in concat.
      if (access === 'read') throw new Error(`${dispatch.label} reads a buffer that nothing has written`);
      found.set(buffer, { buffer, first: index, last: index });
    }
  });
  return [...found.values()];
}
