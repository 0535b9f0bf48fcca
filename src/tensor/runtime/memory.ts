import type { Gpu } from '../../gpu/gpu.ts';
import { Heap } from '../../gpu/heap.ts';
import { alignUp, type Storage } from '../../gpu/storage.ts';
import { DTYPE_BYTES } from '../../gpu/dispatch.ts';
import type { Move } from '../graph/recording_device.ts';
import type { LogicalStorage } from '../graph/storage.ts';

/**
 * Where logical storages lie. Everything here happens in the order of the device's queue, so that work which is under way
 * never sees memory move.
 */
export class Memory {
  readonly #gpu: Gpu;
  /** By pool, so that storages of different pools never share a GPUBuffer. */
  readonly #heaps = new Map<string, Heap>();
  readonly #places = new Map<LogicalStorage, { readonly place: Storage; readonly free: () => void }>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Throws an Error if the storage has no memory: what should have made its elements has failed. */
  placeOf(storage: LogicalStorage): Storage {
    const found = this.#places.get(storage);
    if (found !== undefined) return found.place;
    if (storage.part === null) throw new Error(`${storage.label} was never computed`);
    return this.#placePart(storage, this.placeOf(storage.part.whole), storage.part.offset);
  }

  has(storage: LogicalStorage): boolean {
    return this.#places.has(storage);
  }

  /** Uninitialized memory, if the storage has none. Throws a RangeError if no buffer of the device can hold it. */
  allocate(storage: LogicalStorage): Storage {
    const found = this.#places.get(storage);
    if (found !== undefined) return found.place;
    const { pool, label, length, dtype } = storage;
    const heap = this.#heaps.get(pool) ?? new Heap(this.#gpu, `${storage.role}s`);
    this.#heaps.set(pool, heap);
    const place = heap.allocate(length * DTYPE_BYTES[dtype], label);
    this.#places.set(storage, { place, free: () => heap.free(place) });
    return place;
  }

  /** Lets a storage lie in a buffer of the caller's, who keeps it. */
  place(storage: LogicalStorage, place: Storage): void {
    this.#places.set(storage, { place, free: () => undefined });
  }

  /** Harmless where there is nothing to free. */
  free(storage: LogicalStorage): void {
    const found = this.#places.get(storage);
    this.#places.delete(storage);
    found?.free();
  }

  /** Makes `whole`, of zeros, and moves storages into it. Those without memory get their part of it. */
  move(whole: LogicalStorage, parts: readonly Move[]): void {
    // A buffer of its own, since WebGPU does not copy within one.
    const bytes = whole.length * DTYPE_BYTES[whole.dtype];
    const heap = new Heap(this.#gpu, whole.label, bytes);
    const to = heap.allocate(bytes, whole.label);
    this.#places.set(whole, { place: to, free: () => heap.destroy() });
    const size = DTYPE_BYTES[whole.dtype];
    this.#gpu.submit((encoder) => {
      encoder.clearBuffer(to.buffer, to.offset, to.bytes);
      for (const { storage, offset } of parts) {
        const from = this.#places.get(storage)?.place;
        if (from !== undefined)
          encoder.copyBufferToBuffer(
            from.buffer,
            from.offset,
            to.buffer,
            to.offset + size * offset,
            from.bytes,
          );
      }
    });
    for (const { storage, offset } of parts) {
      this.free(storage);
      this.#placePart(storage, to, offset);
    }
  }

  #placePart(storage: LogicalStorage, whole: Storage, offset: number): Storage {
    const size = DTYPE_BYTES[storage.dtype];
    const place = {
      buffer: whole.buffer,
      offset: whole.offset + size * offset,
      bytes: alignUp(storage.length * size),
    };
    // The whole is freed when it and all of its parts are unused.
    this.#places.set(storage, { place, free: () => undefined });
    return place;
  }
}
