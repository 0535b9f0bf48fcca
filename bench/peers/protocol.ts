/* Protocol between the parent and a peer's process: one line of JSON per request on stdin, one per reply on descriptor 3. */
import type { AdapterChoice } from '../../src/node/adapter.ts';
import type { Work } from './work.ts';

/** Settings of Adam. */
export const ADAM = { lr: 1e-4, betas: [0.9, 0.999], eps: 1e-8 } as const;
export const CHECKED_STEPS = 3;

export const REPLY_DESCRIPTOR = 3;

export type Request =
  | { readonly do: 'describe' }
  | { readonly do: 'prepare'; readonly work: Work }
  /** Writes the tensors of `checkedTensors` to a file, one after another as f32. */
  | { readonly do: 'check'; readonly file: string }
  | { readonly do: 'time'; readonly steps: number }
  | { readonly do: 'dispose' };

/** Description of a peer and of the adapter it runs on. */
export interface Description {
  readonly version: string;
  /** Name of the adapter according to the peer's own device. */
  readonly adapter: string;
  /** Notes on further conditions of its speed, and on the source of the adapter's name. */
  readonly notes: readonly string[];
}

export interface Checked {
  /** Losses of the first training steps; empty for a convolution. */
  readonly losses: readonly number[];
}

export interface Timed {
  readonly milliseconds: number;
  /** Dispatches of one step, counted on the device; null if the peer's device is not accessible. */
  readonly dispatches: number | null;
  readonly submits: number | null;
}

export interface Failed {
  readonly error: string;
}

/** A piece of work that a peer has prepared. */
export interface Job {
  /** Tensors to compare, computed with initial parameters before any step, and losses of the first steps. */
  check(): Promise<Checked & { readonly tensors: readonly Float32Array[] }>;
  /** Runs steps and resolves when the device has finished them. */
  run(steps: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Argument of a peer's process. */
export interface Opening {
  readonly device: AdapterChoice;
  readonly version: string;
  /** Name of wavelight's adapter, on which the peer must run too; empty for wavelight itself. */
  readonly adapter: string;
}

export interface Peer {
  describe(): Promise<Description>;
  prepare(work: Work): Promise<Job>;
  /** Counts so far on the peer's device; null if it is not accessible. */
  counts(): { readonly dispatches: number; readonly submits: number } | null;
}
