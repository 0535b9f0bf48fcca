import type { Lifetime } from './liveness.ts';

/** Where a buffer lies: in which bin of its color, at which byte. */
interface Slot {
  readonly bin: number;
  readonly offset: number;
}

interface Packing {
  readonly slots: ReadonlyMap<Lifetime, Slot>;
  /** Bytes that each bin must have. */
  readonly bins: readonly number[];
}

interface Placed {
  readonly lifetime: Lifetime;
  readonly offset: number;
  readonly end: number;
}

/**
 * Offsets for buffers that live for a while, such that no two that are alive at once overlap. Largest first, each
 * into the tightest gap that fits (greedy by size, Pisarchyk and Lee 2020), in bins of at most `binBytes`.
 */
export function pack(
  lifetimes: readonly Lifetime[],
  bytesOf: (lifetime: Lifetime) => number,
  binBytes: number,
): Packing {
  const order = lifetimes.toSorted((a, b) => bytesOf(b) - bytesOf(a) || a.first - b.first);
  const bins: Placed[][] = [];
  const slots = new Map<Lifetime, Slot>();
  for (const lifetime of order) {
    const bytes = bytesOf(lifetime);
    if (bytes > binBytes)
      throw new RangeError(`a buffer of ${bytes} bytes does not fit in an arena of ${binBytes}`);
    for (let bin = 0; ; bin++) {
      const placed = (bins[bin] ??= []);
      const offset = tightestGap(placed, lifetime, bytes);
      if (offset + bytes > binBytes) continue;
      slots.set(lifetime, { bin, offset });
      insertByOffset(placed, { lifetime, offset, end: offset + bytes });
      break;
    }
  }
  return { slots, bins: bins.map((placed) => placed.reduce((end, item) => Math.max(end, item.end), 0)) };
}

function tightestGap(placed: readonly Placed[], { first, last }: Lifetime, bytes: number): number {
  let end = 0;
  let best = -1;
  let bestGap = Infinity;
  for (const item of placed) {
    if (item.lifetime.last < first || item.lifetime.first > last) continue;
    const gap = item.offset - end;
    if (gap >= bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
    }
    end = Math.max(end, item.end);
  }
  return best >= 0 ? best : end;
}

function insertByOffset(placed: Placed[], item: Placed): void {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((placed[middle]?.offset ?? 0) <= item.offset) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, item);
}
