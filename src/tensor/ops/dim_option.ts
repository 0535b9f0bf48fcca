import { dimension, namedFirst, required, type OptionKinds } from '../graph/options.ts';

/** Every op along a dimension takes it alone or by name: softmax(x, 1) and softmax(x, { dim: 1 }). */
export interface DimOption {
  /** Counted from the end where negative. */
  readonly dim: number;
}

const DIM_OPTION: OptionKinds<DimOption> = { dim: required(dimension) };

export const dimOf = (what: string, dim: number | DimOption): number =>
  namedFirst<DimOption>(what, 'dim', dim, undefined, DIM_OPTION).dim;
