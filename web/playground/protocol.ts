// What the page and its worker tell each other.

import type { Ceilings, Inspection, StepTimes } from 'wavelight/inspect';

/** To the worker. */
export type Order =
  | { readonly do: 'run'; readonly code: string; readonly canvas: OffscreenCanvas }
  | { readonly do: 'measure' };

/** A function that the code has compiled and called. */
export interface SeenStep {
  /** Counts from 0. */
  readonly index: number;
  /** Shapes of the inputs of its first call, like `[32, 64], [32]`. */
  readonly inputs: string;
  /** As the device runs it. */
  readonly plan: Inspection;
  /** The same, ops planned together or each by itself: whichever `plan` is not. */
  readonly other: Inspection;
}

/** From the worker. */
export type News =
  | { readonly kind: 'line'; readonly level: 'log' | 'warn' | 'error'; readonly text: string }
  | { readonly kind: 'step'; readonly step: SeenStep }
  | { readonly kind: 'ended'; readonly milliseconds: number }
  | { readonly kind: 'times'; readonly index: number; readonly times: StepTimes | string }
  | { readonly kind: 'ceilings'; readonly adapter: string; readonly ceilings: Ceilings }
  | {
      readonly kind: 'problem';
      readonly message: string;
      /** Of the code, from 1; null where it is not known. */
      readonly line: number | null;
      /** The code could not be read as JavaScript. */
      readonly syntax: boolean;
    }
  /** Nothing more comes. */
  | { readonly kind: 'done' };
