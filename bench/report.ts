import type { Ceilings } from '../src/gpu/ceilings.ts';
import type { Device } from '../src/index.ts';

/** Description of the machine, part of every benchmark's result. */
interface Machine {
  readonly adapter: string;
  readonly kind: 'gpu' | 'cpu';
  readonly profile: string;
  readonly ceilings: Ceilings;
}

export function machineOf(device: Device, ceilings: Ceilings): Machine {
  const { name, kind } = device.description;
  return { adapter: name, kind, profile: device.gpu.profile, ceilings };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  if (high === undefined) throw new RangeError('the median of nothing');
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}

/** Columns of text, the first aligned to the left and the others to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
