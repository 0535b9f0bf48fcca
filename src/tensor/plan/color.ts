import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';
import type { AdapterProfile } from '../../gpu/profile.ts';
import { copy } from '../../kernels/elementwise.ts';
import { LogicalStorage } from '../graph/storage.ts';

/*
 * WebGPU forbids to bind one GPUBuffer for reading and for writing in one dispatch, even at disjoint ranges, and Dawn orders
 * dispatches by whole buffers. So storages that meet in a dispatch in these two roles get different colors, and each
 * color GPUBuffers of its own.
 */

/** Storages that some dispatch binds in the other role than the given ones. */
function rivalsOf(
  dispatches: readonly Dispatch[],
  counts: (buffer: BufferRef) => boolean,
): Map<BufferRef, Set<BufferRef>> {
  const rivals = new Map<BufferRef, Set<BufferRef>>();
  const setOf = (buffer: BufferRef): Set<BufferRef> => {
    let set = rivals.get(buffer);
    if (set === undefined) rivals.set(buffer, (set = new Set()));
    return set;
  };
  for (const { operands } of dispatches) {
    const free = operands.filter(({ buffer }) => counts(buffer));
    for (const written of free) {
      setOf(written.buffer);
      if (written.access === 'read') continue;
      for (const read of free) {
        if (read.access !== 'read') continue;
        setOf(written.buffer).add(read.buffer);
        setOf(read.buffer).add(written.buffer);
      }
    }
  }
  return rivals;
}

const leastOutside = (taken: ReadonlySet<number | undefined>): number => {
  let color = 0;
  while (taken.has(color)) color++;
  return color;
};

/** Colors of transient storages. */
export function colorBuffers(
  dispatches: readonly Dispatch[],
  persists: (buffer: BufferRef) => boolean,
): Map<BufferRef, number> {
  const colors = new Map<BufferRef, number>();
  for (const [buffer, set] of rivalsOf(dispatches, (ref) => !persists(ref))) {
    colors.set(buffer, leastOutside(new Set([...set].map((rival) => colors.get(rival)))));
  }
  return colors;
}

/** Colors of storages that outlive the plan, apart from those of values that lie in memory before. */
export function colorsOfValues(
  values: readonly LogicalStorage[],
  dispatches: readonly Dispatch[],
): Map<LogicalStorage, number> {
  const rivals = rivalsOf(dispatches, (buffer) => buffer instanceof LogicalStorage);
  const colors = new Map<LogicalStorage, number>();
  const colorOf = (ref: BufferRef): number | undefined => {
    if (!(ref instanceof LogicalStorage)) return undefined;
    return colors.get(ref) ?? (ref.resident && ref.role === 'value' ? ref.color : undefined);
  };
  for (const value of values) {
    colors.set(value, leastOutside(new Set([...(rivals.get(value) ?? [])].map(colorOf))));
  }
  return colors;
}

/** Where a dispatch would read and write storages of one pool, it reads from a copy. */
export function separateRoles(
  geometry: AdapterProfile,
  dispatches: readonly Dispatch[],
  poolOf: (buffer: BufferRef) => string | null,
): Dispatch[] {
  return dispatches.flatMap((dispatch) => {
    const written = new Set(
      dispatch.operands.filter(({ access }) => access !== 'read').map(({ buffer }) => poolOf(buffer)),
    );
    const copies: Dispatch[] = [];
    const operands = dispatch.operands.map((operand) => {
      const pool = poolOf(operand.buffer);
      if (operand.access !== 'read' || pool === null || !written.has(pool)) return operand;
      const { dtype, length } = operand.buffer;
      const twin = new LogicalStorage(dtype, length, `copy for ${dispatch.label}`);
      copies.push(copy(geometry, operand.buffer, twin));
      return { ...operand, buffer: twin };
    });
    return copies.length === 0 ? [dispatch] : [...copies, { ...dispatch, operands }];
  });
}
