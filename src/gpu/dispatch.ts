/**
 * The contract between kernels and the runtime: a kernel function returns a `Dispatch`, which names WGSL, its parameters and the
 * buffers it binds; a planner chooses where these buffers lie.
 */

/** Element types the engine stores. */
export type DType = 'f32' | 'i32' | 'u32' | 'f16' | 'u8';

export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f32: 4, i32: 4, u32: 4, f16: 2, u8: 1 };

/** A buffer before it has a place in device memory. Kernels see its identity, type and size. */
export interface BufferRef {
  readonly dtype: DType;
  /** Number of elements, at least 1. */
  readonly length: number;
}

export const bytesOf = ({ dtype, length }: BufferRef): number => length * DTYPE_BYTES[dtype];

/** How a dispatch uses a buffer. `write` promises that every element is written and none is read. */
type Access = 'read' | 'write' | 'readwrite';

export interface Operand {
  readonly buffer: BufferRef;
  readonly access: Access;
}

/** Value of one field of a kernel's `struct Params`, in the order in which the struct declares them. */
export interface ParamValue {
  readonly type: 'u32' | 'i32' | 'f32';
  readonly value: number;
  /** Always bound as a uniform, so dispatches that differ only in this value share a pipeline. */
  readonly uniform?: true;
}

/** Bytes that move where every operand is used as a whole: each once, twice what is both read and written. */
export const movedBytes = (operands: readonly Operand[]): number =>
  operands.reduce((sum, { buffer, access }) => sum + bytesOf(buffer) * (access === 'readwrite' ? 2 : 1), 0);

/** Subgroup matrices of f16 or f32, with sums in f32. */
export type ArithmeticUnits = 'matrixF16' | 'matrixF32';

/** Whose work a dispatch does; noted by the planner for whoever inspects a plan. */
interface Origin {
  /** Indices of the plan's nodes, in the order in which they were recorded. */
  readonly nodes: readonly number[];
  /** Why the dispatch is not the kernel of one op; see tensor/plan/fuse/reasons.ts. */
  readonly why: readonly string[];
  /** The node that wants the result in memory. */
  readonly reader?: number | undefined;
}

export interface Dispatch {
  /** For profiles and error messages, like `conv2d forward 3x3 s1`. */
  readonly label: string;
  /** Distinguishes dispatches of one label, like `48 x 1728 x 12544`; for profiles. */
  readonly shape?: string;
  /**
   * Complete WGSL with one entry point `main`. Operand i is `@group(0) @binding(i)`. If there are parameters,
   * `@group(0) @binding(operands.length) var<uniform> params: Params;` follows on one line of its own.
   * A kernel that reads the step's scalars binds `@group(0) @binding(operands.length + (params ? 1 : 0))
   * var<storage, read> scalars: array<f32>;` (u32 values by bitcast).
   */
  readonly code: string;
  /** Values of the WGSL's `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Fields of `struct Params`; may be baked into the WGSL as constants, or bound as a uniform. */
  readonly params?: Readonly<Record<string, ParamValue>>;
  readonly operands: readonly Operand[];
  /** True where the kernel binds `scalars`. */
  readonly usesScalars?: boolean;
  readonly workgroups: readonly [number, number, number];
  /** Floating-point operations (a multiply-add is two), for rates. */
  readonly flops: number;
  /** What computes most of them; absent: multiply-adds in f32. */
  readonly units?: ArithmeticUnits;
  /** Bytes that must move: every operand once, unless the kernel says otherwise. */
  readonly bytes: number;
  readonly origin?: Origin;
}

export const u32 = (value: number): ParamValue => ({ type: 'u32', value });
export const i32 = (value: number): ParamValue => ({ type: 'i32', value });
export const f32 = (value: number): ParamValue => ({ type: 'f32', value });

/** Marks parameters that differ between layers and gain nothing as constants. */
export const uniform = (params: Readonly<Record<string, ParamValue>>): Record<string, ParamValue> =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, { ...value, uniform: true }]));
