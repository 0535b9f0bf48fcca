import { bytesOf } from '../../gpu/dispatch.ts';
import type { LogicalStorage } from '../graph/storage.ts';

/** Device memory that is made before the collector is told. */
const STEP = 64 * 2 ** 20;
const LARGEST = 2 ** 30;

/**
 * Tells the garbage collector of memory on the device, of which it sees only small objects: without that, tensors that nobody
 * disposes and nobody holds could fill the device long before it runs. What is disposed does not count.
 */
export class MemoryPressure {
  #bytes = 0;

  add(storages: Iterable<LogicalStorage>): void {
    for (const storage of storages) this.#bytes += bytesOf(storage);
    if (this.#bytes < STEP) return;
    try {
      // Engines count the bytes of ArrayBuffers when they decide to collect. Nothing touches this one, so it takes no memory.
      new ArrayBuffer(Math.min(this.#bytes, LARGEST));
    } catch {
      // Where address space is short, it must do without.
    }
    this.#bytes = 0;
  }

  free(storage: LogicalStorage): void {
    this.#bytes = Math.max(0, this.#bytes - bytesOf(storage));
  }
}
