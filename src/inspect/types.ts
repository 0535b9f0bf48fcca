import type { ArithmeticUnits, DType } from '../gpu/dispatch.ts';
import type { PlanStatistics } from '../tensor/plan/statistics.ts';
import type { Reason } from './sentences.ts';

/**
 * What a buffer is for:
 *
 *   input        given with each call
 *   parameter, gradient, optimizer (moments), statistic (running statistics)
 *   tensor       another tensor from before
 *   foreign      in a GPUBuffer of the caller's
 *   result       outlives the call
 *   activation   a value of the recording that lives within the call, of forward or backward
 *   workspace    what kernels need beside: partial sums, tables of norms, shared gradients
 */
export type BufferRole =
  | 'input'
  | 'parameter'
  | 'gradient'
  | 'optimizer'
  | 'packed'
  | 'statistic'
  | 'tensor'
  | 'foreign'
  | 'result'
  | 'activation'
  | 'workspace';

export interface InspectedBinding {
  /** Of @group(0). */
  readonly binding: number;
  /** `write` writes every element and reads none. */
  readonly access: 'read' | 'write' | 'readwrite';
  readonly role: BufferRole;
  /** Like `conv2d [8, 64, 56, 56]`. */
  readonly buffer: string;
  readonly dtype: DType;
  /** Number of elements. */
  readonly length: number;
  readonly bytes: number;
}

/** One op of the recording, such as a convolution or batch norm's backward. */
export interface InspectedOperation {
  readonly name: string;
  /** Shapes of its results. */
  readonly shapes: readonly (readonly number[])[];
  /** Indices of the dispatches that do its work; empty where it takes none. */
  readonly dispatches: readonly number[];
}

export interface InspectedDispatch {
  /** Its kernel, like `conv2d forward 3x3 s1`. */
  readonly kernel: string;
  /** Sizes of its problem, like `48 x 1728 x 12544`; empty where the kernel's name has them. */
  readonly shape: string;
  /** As the device compiles it. */
  readonly wgsl: string;
  /** Values of the WGSL's `override` constants. */
  readonly constants: Readonly<Record<string, number>>;
  /** Values of the fields of the WGSL's `struct Params`. */
  readonly params: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
  readonly bindings: readonly InspectedBinding[];
  /** Floating-point operations; a multiply-add is two. */
  readonly flops: number;
  /** Subgroup matrices that compute most of them; null: multiply-adds in f32. */
  readonly units: ArithmeticUnits | null;
  /** Bytes that must move. */
  readonly bytes: number;
  /** Indices of the operations whose work it does. */
  readonly operations: readonly number[];
  /** Why it is not the kernel of one op; see `explain`. */
  readonly reasons: readonly Reason[];
  /** Index of the operation that wants the result in memory; null where no reader forced that. */
  readonly reader: number | null;
}

/** A buffer that lives within the call, in an arena of the device. */
export interface InspectedPlace {
  readonly buffer: string;
  readonly role: 'activation' | 'workspace';
  /** Like `0.1`: arenas of one color are numbered. */
  readonly arena: string;
  readonly offset: number;
  readonly bytes: number;
  /** First and last dispatch that use it. */
  readonly first: number;
  readonly last: number;
}

/** Memory of a call in bytes. */
export interface InspectedMemory {
  /** What outlives the call, by role; the sum is `statistics.persistentBytes`. */
  readonly persistent: Readonly<Partial<Record<BufferRole, number>>>;
  /** What lives within the call, at the moment when most of it is alive; the sum is `statistics.peakLiveBytes`. */
  readonly peak: { readonly activation: number; readonly workspace: number; readonly dispatch: number };
  /** Alive during each dispatch. */
  readonly live: readonly { readonly activation: number; readonly workspace: number }[];
  /** Sizes of the arenas, by name; the sum is `statistics.arenaBytes`. */
  readonly arenas: Readonly<Record<string, number>>;
  readonly places: readonly InspectedPlace[];
}

/** A reason and the dispatches that it explains. */
export interface InspectedFusion {
  readonly reason: Reason;
  readonly sentence: string;
  readonly dispatches: readonly number[];
}

/** What a call of a compiled function does, as plain data. */
export interface Inspection {
  /** Name of the adapter. */
  readonly adapter: string;
  /** Whether ops are planned together where that saves work. */
  readonly fusion: boolean;
  readonly operations: readonly InspectedOperation[];
  /** In their order. */
  readonly dispatches: readonly InspectedDispatch[];
  readonly fusions: readonly InspectedFusion[];
  readonly memory: InspectedMemory;
  readonly statistics: PlanStatistics;
}
