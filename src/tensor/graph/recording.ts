import { HostTrace } from './guards.ts';
import type { RecordedNode } from './node.ts';
import type { LogicalStorage } from './storage.ts';
import type { Tensor } from './tensor.ts';
import type { Value } from './value.ts';

/** The gradient that a leaf had when a recording began; `any` where the recording clears it first. */
export type GradientAtEntry = LogicalStorage | null | 'any';

/** Called on the host before each run of a recording, to set per-step scalars such as the learning rate. */
export type RunHook = () => void;

/**
 * How a plan stores what only it sees: in f32, or activations and gradients in f16. Sums, statistics, losses and parameters are f32 in
 * both.
 * @inline
 */
export type Precision = 'f32' | 'f16';

/** Elements of an integer value that an op can take: 0 <= element < end. */
interface RangeRequirement {
  readonly value: Value;
  readonly end: number;
  /** Names the op and the elements in errors, like `crossEntropy: class`. */
  readonly what: string;
}

/** What happened since the last run, in order. Nothing of it has reached the device. */
export class Recording {
  readonly nodes: RecordedNode[] = [];
  readonly hooks: RunHook[] = [];
  /** Leaves whose gradient was read or changed here, with what they came in with. */
  readonly gradientsAtEntry = new Map<Tensor, GradientAtEntry>();
  /** Handles on these gradients while a trace may be undone. */
  readonly gradientsBefore = new Map<Tensor, Tensor | null>();
  /** Storages that were given to new elements here, with their epoch before. */
  readonly claimed = new Map<LogicalStorage, number>();
  /** Storages that were changed in place here. */
  readonly changed = new Set<LogicalStorage>();
  /** Values with a place in `nodes` that do not have their elements yet. */
  readonly pending = new Set<Value>();
  /** Host variables that the recording depends on. */
  readonly host = new HostTrace();
  /** Further conditions under which the recording may run again; each must hold before each run. */
  readonly guards: (() => boolean)[] = [];
  /** Of values whose elements the host does not know yet. */
  readonly ranges: RangeRequirement[] = [];
  /** Numbers the random ops, so that each draws from a stream of its own. */
  randomOps = 0;
  readonly precision: Precision;

  constructor(precision: Precision = 'f32') {
    this.precision = precision;
  }

  get isEmpty(): boolean {
    return this.nodes.length === 0 && this.hooks.length === 0;
  }
}
