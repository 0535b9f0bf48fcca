import type { BufferRef, DType } from '../../gpu/dispatch.ts';
import { bytesOf } from '../../gpu/dispatch.ts';
import type { Storage } from '../../gpu/storage.ts';

/** Where a value's elements lie, and who takes the storage back (nobody, if it is a part of something larger). */
export interface Place {
  readonly storage: Storage;
  readonly heap: { free(storage: Storage): void } | null;
}

/**
 * The elements behind one or more tensors. A value is either in device memory (`place`) or the result of a
 * recorded op that has not run, whose place the planner will choose.
 */
export class Value implements BufferRef {
  readonly dtype: DType;
  readonly length: number;
  /** Names the value in errors and memory listings, like `conv2d [8, 64, 56, 56]`. */
  readonly label: string;
  place: Place | null = null;
  /** Live tensors and saved references. At 0 nobody can ask for the elements any more. */
  handles = 0;
  /** Recorded uses that have not run yet. */
  uses = 0;
  /** Why the elements were never computed, if their run failed. */
  failure: Error | null = null;

  constructor(dtype: DType, length: number, label: string) {
    this.dtype = dtype;
    this.length = length;
    this.label = label;
  }

  get bytes(): number {
    return bytesOf(this);
  }
}
