/*
 * What was measured of an adapter to choose geometries by, as plain data: it can be kept in a file and given to a device. Kernels
 * check every choice before they take it (src/kernels/tunable.ts).
 */

/** A choice by the names of its fields. */
export type ChoiceRecord = Readonly<Record<string, string | number | boolean>>;

/** The best choice for one problem. */
export interface TunedProduct {
  readonly choice: ChoiceRecord;
  /** Hash of the WGSL that the choice runs. */
  readonly wgsl: string;
  /** Hash of the WGSL of all choices that it was measured against. */
  readonly rivals: string;
  /** Milliseconds of the usual choice and of this one, when they were measured. */
  readonly usualMilliseconds: number;
  readonly milliseconds: number;
}

export type TunedProducts = ReadonlyMap<string, TunedProduct>;

export interface Tuned {
  /** Workgroups that run side by side; null where that was not measured. */
  readonly multiprocessors: number | null;
  /** By the key of the problem. */
  readonly products: TunedProducts;
}

export const NOTHING_TUNED: Tuned = { multiprocessors: null, products: new Map() };
