import type { BufferRef, Dispatch, DType } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import type { TunedProducts } from '../gpu/tuned.ts';
import type { GemmChoice } from './gemm_choice.ts';

/** Input of every kernel function: the adapter's profile, and temporary buffers that live as long as the node. */
export interface KernelContext {
  readonly geometry: AdapterProfile;
  temporary(length: number, dtype?: DType): BufferRef;
  /** Choices that were measured on the adapter; where there is none, a kernel takes its usual one. */
  readonly tuned?: TunedProducts | undefined;
  /** Is shown the work that other choices could do as well. */
  readonly onTunable?: ((tunable: Tunable) => void) | undefined;
}

/** Statistics that a kernel makes beside its result; how many parts there are depends on the choice. */
export interface TunedPartials {
  readonly kind: 'moments' | 'sums';
  readonly buffer: BufferRef;
  readonly parts: number;
  readonly channels: number;
}

export interface TunedWork {
  readonly dispatches: Dispatch[];
  readonly partials: TunedPartials | null;
}

/** How a convolution is computed; see conv_choice.ts. */
export type ConvMethod = 'direct' | 'winograd' | 'winogradFused';

/** A geometry, or the method of a convolution. */
export type TunedChoice = Partial<GemmChoice> & { readonly method?: ConvMethod };

export interface Tunable {
  /** Names the problem: the same for all whose times are the same. */
  readonly key: string;
  /** The choice where nothing was measured. */
  readonly usual: TunedChoice;
  /** The choice that was taken. */
  readonly chosen: TunedChoice;
  /** Products in the longest sum, on which the rounding error depends. */
  readonly sumLength: number;
  /** Choices that differ in kernel, the usual one first. */
  readonly kernels: () => readonly TunedChoice[];
  /** Choices near one of them, with the same kernel. */
  readonly near: (choice: TunedChoice) => readonly TunedChoice[];
  /** The work by a choice. Its operands are the same for every choice, but for those from `context.temporary`. */
  readonly make: (context: KernelContext, choice: TunedChoice) => TunedWork;
}

/** The WGSL type that kernels compute with; f16 is for storage alone, see half.ts. Throws a TypeError for u8, for which they have no code. */
export function wordType(dtype: DType): 'f32' | 'i32' | 'u32' {
  if (dtype === 'u8') throw new TypeError('kernels have no code for u8: cast to f32, i32 or u32 first');
  return dtype === 'f16' ? 'f32' : dtype;
}

/** The WGSL type in which elements are moved unchanged; f32 where storage types differ, so that they are converted. */
export function movedType(from: DType, to: DType): 'f32' | 'f16' | 'u32' {
  if (from === to) return from === 'f16' ? 'f16' : 'u32';
  return 'f32';
}

/** The WGSL type of stored elements of kernels that compute in f32 whatever the storage. Throws a TypeError for u8. */
export function storedType(dtype: DType): 'f32' | 'f16' | 'i32' | 'u32' {
  return dtype === 'f16' ? dtype : wordType(dtype);
}

/**
 * Spreads `count` workgroups over x and y, since one dimension holds at most 65535. A workgroup's number is
 * `workgroup_id.x + workgroup_id.y * num_workgroups.x`, which may exceed `count`: kernels check it.
 */
export function spread(geometry: AdapterProfile, count: number): readonly [number, number, number] {
  const limit = geometry.maxWorkgroupsPerDimension;
  if (count <= limit) return [Math.max(1, count), 1, 1];
  const y = Math.ceil(count / limit);
  if (y > limit)
    throw new RangeError(`a dispatch of ${count} workgroups exceeds the device's ${limit} x ${limit}`);
  return [Math.ceil(count / y), y, 1];
}
