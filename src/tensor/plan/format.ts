import { bytesOf, type BufferRef } from '../../gpu/dispatch.ts';
import { alignUp } from '../../gpu/storage.ts';
import { LogicalStorage } from '../graph/storage.ts';
import type { Plan } from './plan.ts';

/** Marks of how a dispatch uses an operand. */
const MARKS = { read: '', write: '>', readwrite: '+' } as const;

/**
 * A plan as text, so that a change of fusion shows in a diff: each dispatch with its workgroups and its operands in the order of
 * their bindings (`>` written, `+` read and written), then each storage with its role or its place in an arena.
 */
export function formatPlan(plan: Plan): string {
  const names = new Map<BufferRef, string>();
  const counts = new Map<string, number>();
  const nameOf = (buffer: BufferRef): string => {
    const known = names.get(buffer);
    if (known !== undefined) return known;
    const kind = kindOf(plan, buffer);
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    const name = `${kind}${count}`;
    names.set(buffer, name);
    return name;
  };
  const dispatches = plan.dispatches.map(({ label, shape, workgroups, operands }) => {
    const bound = operands.map(({ buffer, access }) => MARKS[access] + nameOf(buffer));
    return [shape === undefined ? label : `${label}, ${shape}`, workgroups.join('x'), bound.join(' ')];
  });
  const storages = [...names].map(([buffer, name]) => [
    name,
    `${buffer.dtype} x ${buffer.length}`,
    placeOf(plan, buffer),
    buffer instanceof LogicalStorage ? buffer.label : '',
  ]);
  const arenas = plan.arenaBytes.flatMap((bins, color) =>
    bins.map((bytes, bin) => [`arena ${color}.${bin}`, `${bytes} bytes`]),
  );
  return [dispatches, storages, arenas].map(columns).join('\n\n');
}

function kindOf({ slots, made }: Plan, buffer: BufferRef): string {
  if (slots.has(buffer) || !(buffer instanceof LogicalStorage)) return 't';
  return made.has(buffer) && buffer.role === 'transient' ? 'value' : buffer.role;
}

function placeOf({ slots, made }: Plan, buffer: BufferRef): string {
  const slot = slots.get(buffer);
  if (slot !== undefined)
    return `arena ${slot.color}.${slot.bin} at ${slot.offset}, ${alignUp(bytesOf(buffer))} bytes`;
  if (!(buffer instanceof LogicalStorage)) return '';
  const color = made.get(buffer);
  return color === undefined ? 'from before' : `made, color ${color}`;
}

/** Rows with their columns aligned, the last one ragged. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
