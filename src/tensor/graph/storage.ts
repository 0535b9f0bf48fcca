import type { BufferRef, DType } from '../../gpu/dispatch.ts';

/**
 * What a storage is for. Storages of different roles never share a GPUBuffer, so one dispatch may read the one and write the
 * other.
 */
export type Role =
  | 'tensor' // uploaded by the caller
  | 'parameter'
  | 'statistic' // running statistics and the like: changed in the dispatches that read parameters
  | 'gradient'
  | 'optimizer' // moments and momentum
  | 'packed' // copies of parameters as f16
  | 'input' // of a compiled function
  | 'result' // of a compiled function
  | 'foreign' // in a buffer of the caller's, each of which has a color of its own
  | 'value' // result of an op that outlives its plan
  | 'transient'; // lives within one run

/** Part of a larger storage, as a parameter is in its optimiser's flat vector. */
export interface Part {
  readonly whole: LogicalStorage;
  /** In elements. */
  readonly offset: number;
}

/**
 * Elements without an address: what plans bind, and what the runtime gives memory to. Values that only differ in shape
 * share one.
 */
export class LogicalStorage implements BufferRef {
  readonly dtype: DType;
  readonly length: number;
  /** Names the storage in errors and memory listings, like `conv2d [8, 64, 56, 56]`. */
  readonly label: string;
  role: Role;
  /** Tells apart groups of storages of one role that must not share a GPUBuffer; see plan/color.ts. */
  color = 0;
  /** Null for a storage of its own. */
  part: Part | null = null;
  /** True once the elements lie, or are queued to lie, in memory that outlives a run. */
  resident = false;
  /** Live tensors, saved references and plans. At 0 nobody outside a run can ask for the elements. */
  handles = 0;
  /** Recorded uses that have not run yet. */
  uses = 0;
  /** Counts changes in place, so that backward finds out about them. */
  version = 0;
  /** Counts how often the storage was given to other elements; see `claim`. */
  epoch = 0;
  /** Why values of earlier epochs cannot be read. */
  whyOverwritten = 'was overwritten';
  /** True if values of several shapes share it. */
  shared = false;

  constructor(dtype: DType, length: number, label: string, role: Role = 'transient') {
    this.dtype = dtype;
    this.length = length;
    this.label = label;
    this.role = role;
  }

  /** Name of the group of storages that may share a GPUBuffer with this one. */
  get pool(): string {
    const { role, color } = this.part?.whole ?? this;
    return `${role} ${color}`;
  }

  /** Gives the storage to new elements: values made before can no longer be read. */
  claim(why: string): void {
    this.epoch++;
    this.whyOverwritten = why;
  }

  /** True where a change of the one changes the other. */
  overlaps(other: LogicalStorage): boolean {
    if (this === other) return true;
    const [a, b] = [this.range(), other.range()];
    return a.root === b.root && a.first < b.end && b.first < a.end;
  }

  range(): { readonly root: LogicalStorage; readonly first: number; readonly end: number } {
    const first = this.part?.offset ?? 0;
    return { root: this.part?.whole ?? this, first, end: first + this.length };
  }
}
