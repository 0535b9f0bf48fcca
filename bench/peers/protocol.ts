/* How the parent talks to a peer's process: a line of JSON on its stdin for each request, one on its descriptor 3 in reply. */
import type { AdapterChoice } from '../../src/node/adapter.ts';
import type { Work } from './work.ts';

/** Adam's settings and the steps whose losses are compared. */
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

/** What a peer is, and where it really runs. */
export interface Description {
  readonly version: string;
  /** The adapter as the peer's own device names it. */
  readonly adapter: string;
  /** What else decides its speed, and how the adapter is known. */
  readonly notes: readonly string[];
}

export interface Checked {
  /** Of the first steps of training; none for a convolution. */
  readonly losses: readonly number[];
}

export interface Timed {
  readonly milliseconds: number;
  /** Of one step, counted on the device; null where the peer's device cannot be seen. */
  readonly dispatches: number | null;
  readonly submits: number | null;
}

export interface Failed {
  readonly error: string;
}

/** A piece of work that a peer has made ready. */
export interface Job {
  /** From fresh parameters, before any step: the tensors to compare, and losses of the first steps. */
  check(): Promise<Checked & { readonly tensors: readonly Float32Array[] }>;
  /** Runs steps and resolves when the device has done them. */
  run(steps: number): Promise<void>;
  dispose(): Promise<void>;
}

/** What a peer's process is started with. */
export interface Opening {
  readonly device: AdapterChoice;
  readonly version: string;
  /** Name of wavelight's adapter, which the peer is to run on too; empty for wavelight itself. */
  readonly adapter: string;
}

export interface Peer {
  describe(): Promise<Description>;
  prepare(work: Work): Promise<Job>;
  /** Counts so far on the peer's device; null where it cannot be seen. */
  counts(): { readonly dispatches: number; readonly submits: number } | null;
}
