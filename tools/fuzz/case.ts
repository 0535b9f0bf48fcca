/** A random net as data: it can be printed, replayed by `tools/fuzz-nets.ts --case JSON`, and shrunk. */
export interface Case {
  /** Decides all elements of inputs and leaves. */
  readonly seed: number;
  readonly inputs: readonly Input[];
  /** Value i is input i, and after the inputs the result of step i - inputs.length. */
  readonly steps: readonly Step[];
  readonly losses: readonly Loss[];
  /** How gradients flow: from the sum of the losses, from each loss by itself, or twice from the sum. */
  readonly backward: 'sum' | 'each' | 'twice';
  /** Values that the function returns beside the losses. */
  readonly outputs: readonly number[];
  /** Mode of each call of the function. Calls 0 and 2 get the same inputs. */
  readonly calls: readonly Mode[];
  /** Clears all gradients at the start of each call; they accumulate otherwise. */
  readonly clear?: boolean;
  readonly optimizer?: Update;
  /** Names of leaves that require no gradient. */
  readonly frozen?: readonly string[];
  /** One element that is no number. */
  readonly plant?: Plant;
  /** Eager calls run one by one, rather than all in one recording. */
  readonly flush?: boolean;
  /** Eager calls keep all their values until they have run. */
  readonly keep?: boolean;
}

export type Mode = 'train' | 'eval';

export interface Input {
  readonly shape: readonly number[];
  /** A leaf that requires a gradient and is the same in all calls, rather than an argument of the function. */
  readonly leaf?: boolean;
}

export interface Loss {
  readonly of: number;
  /** `dot`: with fixed random weights; `cross`: cross entropy of its rows; `given`: the value itself, whose gradient is given. */
  readonly kind: 'dot' | 'square' | 'sum' | 'cross' | 'given';
}

export interface Update {
  readonly kind: 'sgd' | 'momentum' | 'adam';
  /** Runs the net once more after the update, in the same call, and returns its values too. */
  readonly again?: boolean;
  /** The update is not part of the function. */
  readonly outside?: boolean;
}

interface Plant {
  /** A leaf's name, or `input0`. */
  readonly name: string;
  /** Modulo the number of elements. */
  readonly index: number;
  readonly value: 'NaN' | 'Infinity' | '-Infinity';
}

/**
 * One op on earlier values. Sizes follow from the operands', so that a step can be dropped or an input made smaller; what does not
 * fit an operand (a view of another rank, groups that do not divide) leaves it as it is.
 */
export type Step = StepBody & {
  /** Records no history for it. */
  readonly noGrad?: boolean;
};

type StepBody =
  | {
      readonly op: 'conv';
      readonly of: readonly [number];
      /** Steps of one name share their leaves where shapes agree. */
      readonly name: string;
      readonly out: number;
      readonly kernel: number;
      readonly stride?: number;
      readonly padding?: number;
      readonly dilation?: number;
      readonly groups?: number;
      readonly bias?: boolean;
    }
  | {
      readonly op: 'norm';
      readonly of: readonly [number];
      readonly name: string;
      readonly affine?: boolean;
      /** Name of its running statistics; none where absent. */
      readonly stats?: string;
      readonly eps?: number;
    }
  | { readonly op: 'unary'; readonly of: readonly [number]; readonly fn: Unary }
  | { readonly op: 'pool'; readonly of: readonly [number]; readonly kind: Pool }
  | { readonly op: 'concat'; readonly of: readonly number[]; readonly dim: number }
  | { readonly op: 'slice'; readonly of: readonly [number]; readonly dim: number; readonly part: Part }
  | { readonly op: 'view'; readonly of: readonly [number]; readonly to: View }
  /** The first in the second's shape, where they have as many elements. */
  | { readonly op: 'like'; readonly of: readonly [number, number] }
  | { readonly op: 'permute'; readonly of: readonly [number]; readonly dims: readonly number[] }
  | { readonly op: 'add' | 'mul'; readonly of: readonly [number, number] }
  | { readonly op: 'dropout'; readonly of: readonly [number]; readonly p: number }
  | {
      readonly op: 'linear';
      readonly of: readonly [number];
      readonly name: string;
      readonly out: number;
      readonly bias?: boolean;
    }
  | { readonly op: 'softmax'; readonly of: readonly [number] }
  | { readonly op: 'detach'; readonly of: readonly [number] };

export const UNARY = ['relu', 'leakyRelu', 'sigmoid', 'tanh', 'neg', 'abs', 'double', 'shift'] as const;
export type Unary = (typeof UNARY)[number];

export const POOLS = [
  'max2',
  'max3',
  'max3stride2',
  'avg2',
  'avg3',
  'avg3stride2',
  'avg12',
  'avg21',
  'one',
  'two',
  'maxOne',
  'mean',
] as const;
export type Pool = (typeof POOLS)[number];

export const PARTS = ['first', 'second', 'inner', 'even'] as const;
export type Part = (typeof PARTS)[number];

/** `instance`: [1, N C, H, W]. `rows`: [N, C, H W, 1]. `fold`: [N, C / 2, 2 H, W]. `unfold`: [N, 2 C, H / 2, W]. */
export type View =
  | 'same'
  | 'instance'
  | 'merge'
  | 'rows'
  | 'swap'
  | 'fold'
  | 'unfold'
  | 'flat'
  | 'squeeze'
  | 'unsqueeze'
  | 'line';
