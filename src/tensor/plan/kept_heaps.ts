import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Heap } from '../../gpu/heap.ts';
import { Value } from '../graph/value.ts';

/**
 * Storage for values that outlive their plan, in several heaps: a dispatch that reads one kept value and writes
 * another needs them in different GPUBuffers.
 */
export class KeptHeaps {
  readonly #gpu: Gpu;
  readonly #heaps: Heap[] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Gives each value a place apart from what the same dispatches bind in the other role. */
  place(values: readonly Value[], dispatches: readonly Dispatch[]): void {
    const rivals = new Map<BufferRef, Set<BufferRef>>(values.map((value) => [value, new Set()]));
    for (const { operands } of dispatches) {
      for (const a of operands) {
        const set = rivals.get(a.buffer);
        if (set === undefined) continue;
        for (const b of operands) if ((a.access === 'read') !== (b.access === 'read')) set.add(b.buffer);
      }
    }
    for (const value of values) {
      const taken = new Set(
        [...(rivals.get(value) ?? [])].map((ref) =>
          ref instanceof Value ? ref.place?.storage.buffer : null,
        ),
      );
      value.place = this.#allocateApart(value, taken);
    }
  }

  #allocateApart(value: Value, taken: ReadonlySet<GPUBuffer | null | undefined>) {
    for (let i = 0; ; i++) {
      const heap = (this.#heaps[i] ??= new Heap(this.#gpu, `values ${i}`));
      const storage = heap.allocate(value.bytes, value.label);
      if (!taken.has(storage.buffer)) return { storage, heap };
      heap.free(storage);
    }
  }
}
