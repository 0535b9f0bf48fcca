/*
 * What kernels and plans want to know of an adapter, as plain data: made from its limits, features and description, or taken from
 * PROFILES for an adapter that one does not have.
 */
import { ALIGNMENT, formatBytes } from './storage.ts';
import type { Tuned, TunedProducts } from './tuned.ts';

/** What can be shown of an adapter. */
export interface Description {
  /** Like "NVIDIA H100 80GB HBM3" or "llvmpipe (LLVM 19)"; never empty. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** `cpu`: a software adapter. For messages and for choosing an adapter; kernels and plans ask the profile. */
  readonly kind: 'gpu' | 'cpu';
}

export interface SubgroupSizes {
  readonly min: number;
  readonly max: number;
}

/** Sizes of matrices that a subgroup multiplies: left [M, K], right [K, N], result [M, N]. */
export interface MatrixConfig {
  /** Of the factors. */
  readonly componentType: 'f16' | 'f32';
  readonly resultComponentType: 'f16' | 'f32';
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

interface AdapterLimits {
  /** Bytes of one buffer, and of the part of it that one binding spans. */
  readonly maxBufferBytes: number;
  readonly maxBindingBytes: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly maxInvocationsPerWorkgroup: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Whether WGSL may use f16. */
  readonly f16: boolean;
  /** Bounds on the number of invocations in a subgroup, powers of two; null where WGSL may not use subgroups. */
  readonly subgroups: SubgroupSizes | null;
  /** Floating-point matrices that subgroups multiply; empty where WGSL may not use them. */
  readonly matrices: readonly MatrixConfig[];
}

/** How kernels should be shaped. */
interface KernelTraits {
  /** GEMMs share tiles of their operands in workgroup memory. False: every invocation keeps its part in registers. */
  readonly workgroupTiles: boolean;
  /** A workgroup reduces a long row together. False: one thread a row. */
  readonly teamReductions: boolean;
  /** Units that run workgroups side by side; no API tells. */
  readonly multiprocessors: number;
  /** Workgroups of a GEMM that keep all multiprocessors busy. */
  readonly workgroupsToFill: number;
  /** Threads of a reduction that keep all multiprocessors busy. */
  readonly threadsToFill: number;
  /** Upper bound on the elements (or vectors of four) of a dense array that one thread takes. */
  readonly elementsPerThread: number;
  /** Neighbours in a row of a map that one thread takes. 1 where neighbouring threads should read neighbouring addresses. */
  readonly neighboursPerThread: number;
  /** A gradient that lacks its norm's correction gets it in each reader's load. False: it is written out once, corrected. */
  readonly correctGradientInLoad: boolean;
  /** Fused kernels take less time than those of single ops. */
  readonly fusionPays: boolean;
  /** Parameters become constants in the WGSL: faster kernels, but more of them to compile. */
  readonly bakeParams: boolean;
  /** Most work of one dispatch, and half of what one submit takes; null where nobody watches how long they last. */
  readonly budget: WorkBudget | null;
}

export interface WorkBudget {
  readonly flops: number;
  /** Bytes moved. */
  readonly bytes: number;
}

/** Work in budgets; a dispatch of more than 1 is split. */
export const budgetsOf = (work: WorkBudget, { flops, bytes }: WorkBudget): number =>
  Math.max(work.flops / flops, work.bytes / bytes);

export interface AdapterProfile extends AdapterLimits, KernelTraits {}

/** Hardware: workgroup memory is fast, and neighbouring threads should read neighbouring addresses. */
const GPU: KernelTraits = {
  workgroupTiles: true,
  teamReductions: true,
  // Of an H100. Two workgroups fit on each.
  multiprocessors: 132,
  workgroupsToFill: 2 * 132,
  threadsToFill: 16384,
  elementsPerThread: 1,
  neighboursPerThread: 1,
  correctGradientInLoad: true,
  fusionPays: true,
  bakeParams: true,
  // A quarter of a second on a GPU of 1 TFLOP/s and 50 GB/s. Windows resets one that is busy for 2 s at a stretch.
  budget: { flops: 0.25e12, bytes: 12.5e9 },
};

/**
 * Software adapters: registers are fast, workgroup memory and barriers are not, and threads should be few and long. They load an
 * element of a GEMM's operand once for every 16 rows, so that a correction in the load is made too often.
 */
const CPU: KernelTraits = {
  workgroupTiles: false,
  teamReductions: false,
  multiprocessors: 4,
  workgroupsToFill: 8,
  threadsToFill: 256,
  elementsPerThread: 8,
  neighboursPerThread: 64,
  correctGradientInLoad: false,
  fusionPays: true,
  bakeParams: false,
  budget: null,
};

/** The two families of kernels. */
export const TRAITS = { gpu: GPU, cpu: CPU } as const satisfies Record<Description['kind'], KernelTraits>;

/** What differs from the family on adapters whose name or architecture matches. */
const EXCEPTIONS: readonly { readonly match: RegExp; readonly traits: Partial<KernelTraits> }[] = [
  // It compiles fused kernels twice as long and runs them slower: a step of the small preset takes 1.05 s instead of 0.85 s, on
  // lavapipe 0.14 s instead of 0.18 s.
  { match: /swiftshader/i, traits: { fusionPays: false } },
];

function traitsOf({ kind, name, architecture }: Description): KernelTraits {
  const found = EXCEPTIONS.filter(({ match }) => match.test(`${name} ${architecture}`));
  return found.reduce((all, { traits }) => ({ ...all, ...traits }), TRAITS[kind]);
}

type LimitName =
  | 'maxBufferSize'
  | 'maxStorageBufferBindingSize'
  | 'maxComputeWorkgroupsPerDimension'
  | 'maxComputeInvocationsPerWorkgroup'
  | 'maxComputeWorkgroupStorageSize';

/** What an adapter's info says of subgroups. Older browsers leave it out. */
interface SubgroupInfo {
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: Iterable<MatrixNames>;
}

/** A configuration as WebGPU names it; some are of integers. */
interface MatrixNames {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const isFloat = (type: string): type is 'f16' | 'f32' => type === 'f16' || type === 'f32';

const matricesOf = ({ subgroupMatrixConfigs = [] }: SubgroupInfo): MatrixConfig[] =>
  [...subgroupMatrixConfigs].flatMap(({ componentType, resultComponentType, M, N, K }) =>
    isFloat(componentType) && isFloat(resultComponentType)
      ? [{ componentType, resultComponentType, M, N, K }]
      : [],
  );

function subgroupsOf({ subgroupMinSize, subgroupMaxSize }: SubgroupInfo): SubgroupSizes | null {
  return subgroupMinSize && subgroupMaxSize ? { min: subgroupMinSize, max: subgroupMaxSize } : null;
}

/** The profile of a device with these limits and features, on the adapter that is described; `info` is the adapter's own. */
export function profileOf(
  limits: Readonly<Record<LimitName, number>>,
  features: { has(name: string): boolean },
  description: Description,
  info: SubgroupInfo = {},
): AdapterProfile {
  return {
    maxBufferBytes: limits.maxBufferSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    f16: features.has('shader-f16'),
    subgroups: features.has('subgroups') ? subgroupsOf(info) : null,
    matrices: features.has('chromium-experimental-subgroup-matrix') ? matricesOf(info) : [],
    ...traitsOf(description),
  };
}

/** The profile with what was measured in the place of what is usual. */
export function withMeasured(profile: AdapterProfile, { multiprocessors }: Tuned): AdapterProfile {
  if (multiprocessors === null) return profile;
  // Two workgroups of a GEMM fit on each.
  return { ...profile, multiprocessors, workgroupsToFill: 2 * multiprocessors };
}

/** Bytes that one storage can have: it lies in one buffer, and one binding spans it. */
export const maxStorageBytes = ({ maxBufferBytes, maxBindingBytes }: AdapterLimits): number =>
  Math.floor(Math.min(maxBufferBytes, maxBindingBytes) / ALIGNMENT) * ALIGNMENT;

/** A device, or an adapter to plan for. */
export interface Target {
  /** For errors, like "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  readonly geometry: AdapterProfile;
  /** Choices that were measured on the adapter. */
  readonly tuned?: TunedProducts;
  /** True if the caller requested the device, and may have asked for less than the adapter has. */
  readonly raisable?: boolean;
}

/** Says that `what` is larger than a storage can be, and what to do. */
export function describeTooLarge(what: string, bytes: number, { name, geometry, raisable }: Target): string {
  const limit =
    geometry.maxBufferBytes < geometry.maxBindingBytes ? 'maxBufferSize' : 'maxStorageBufferBindingSize';
  const remedy = raisable
    ? `use a smaller batch, or ask for a larger ${limit} in requestDevice, as Device.descriptor(adapter) does`
    : 'use a smaller batch';
  const most = formatBytes(maxStorageBytes(geometry));
  return `${what} needs ${formatBytes(bytes)} in one buffer; this device binds at most ${most} (${name}): ${remedy}`;
}

const halves = (resultComponentType: 'f16' | 'f32', M: number, N: number, K: number): MatrixConfig => ({
  componentType: 'f16',
  resultComponentType,
  M,
  N,
  K,
});

/** Adapters to plan for without having one, as Dawn shows them; `phone` has WebGPU's default limits. */
export const PROFILES = {
  h100: {
    maxBufferBytes: 2 ** 31 - 4,
    maxBindingBytes: 2 ** 31 - 4,
    maxWorkgroupsPerDimension: 65535,
    maxInvocationsPerWorkgroup: 1024,
    maxWorkgroupStorageBytes: 48 * 1024,
    f16: true,
    subgroups: { min: 32, max: 32 },
    matrices: (['f16', 'f32'] as const).flatMap((result) => [
      halves(result, 16, 16, 16),
      halves(result, 16, 8, 16),
      halves(result, 16, 8, 8),
    ]),
    ...GPU,
  },
  phone: {
    maxBufferBytes: 256 * 2 ** 20,
    maxBindingBytes: 128 * 2 ** 20,
    maxWorkgroupsPerDimension: 65535,
    maxInvocationsPerWorkgroup: 256,
    maxWorkgroupStorageBytes: 16 * 1024,
    f16: false,
    subgroups: null,
    matrices: [],
    ...GPU,
    multiprocessors: 6,
    workgroupsToFill: 2 * 6,
  },
  lavapipe: {
    maxBufferBytes: 2 ** 32 - 1,
    maxBindingBytes: 128 * 2 ** 20,
    maxWorkgroupsPerDimension: 65535,
    maxInvocationsPerWorkgroup: 1024,
    maxWorkgroupStorageBytes: 32 * 1024,
    f16: true,
    subgroups: { min: 8, max: 8 },
    matrices: [halves('f16', 8, 8, 8), halves('f32', 8, 8, 8)],
    ...CPU,
  },
  swiftshader: {
    maxBufferBytes: 2 ** 30,
    maxBindingBytes: 2 ** 30,
    maxWorkgroupsPerDimension: 65535,
    maxInvocationsPerWorkgroup: 256,
    maxWorkgroupStorageBytes: 32 * 1024,
    f16: false,
    subgroups: { min: 4, max: 4 },
    matrices: [],
    ...traitsOf({ name: 'SwiftShader', vendor: 'google', architecture: 'swiftshader', kind: 'cpu' }),
  },
} as const satisfies Record<string, AdapterProfile>;
