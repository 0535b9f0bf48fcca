import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { measureCeilings } from '../gpu/ceilings.ts';
import type { Ceilings } from '../gpu/ceilings.ts';
import { Gpu, LIMITS, describeAdapter } from '../gpu/gpu.ts';
import type { Description } from '../gpu/gpu.ts';
import { addressSpace, checkAddressSpace, type AddressSpace } from './address-space.ts';
import { messageOf } from './files.ts';
import { ALL_NEEDS, missingPackages, requirePackages } from './packages.ts';
import { openSwiftShader, openSystem, openSystemSoftware } from './adapter.ts';
import type { NodeGpu } from './adapter.ts';

interface SubgroupMatrix {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export interface AdapterReport extends Description {
  /** Names of the limits the engine asks for, with what the adapter offers. */
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  /** Smallest and largest size; zeros if unknown. */
  readonly subgroupSizes: readonly [number, number];
  readonly subgroupMatrices: readonly SubgroupMatrix[];
}

/** A source of adapters for 'auto'. */
export interface AdapterSource {
  readonly source: 'system' | 'system software' | 'SwiftShader from npm';
  readonly adapter: AdapterReport | null;
  /** The reason if there is no adapter and the reason is known. */
  readonly problem: string | null;
}

export interface DoctorReport {
  readonly node: string;
  readonly platform: string;
  readonly processor: { readonly model: string; readonly threads: number };
  readonly memory: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    /** Address space by ulimit -v; null without a limit. */
    readonly addressSpace: AddressSpace | null;
  };
  readonly disk: { readonly folder: string; readonly freeBytes: number };
  readonly vulkan: { readonly loader: string | null; readonly drivers: readonly string[] };
  /** Packages of npm that some command or device needs and that are not installed. */
  readonly missingPackages: readonly string[];
  readonly adapters: readonly AdapterSource[];
  /** The adapter that 'auto' chooses. */
  readonly chosen: { readonly name: string; readonly kind: 'gpu' | 'cpu'; readonly why: string } | null;
  /** Ceilings of the chosen adapter in the fast profile. */
  readonly ceilings: Ceilings | null;
  readonly media: {
    readonly video: readonly string[];
    readonly audio: readonly string[];
    readonly problem: string | null;
  };
}

/** Measures the capabilities of this machine in a few seconds, without changing anything. */
export async function doctor(): Promise<DoctorReport> {
  // Before anything else takes a part of it.
  const space = addressSpace();
  const found: { source: AdapterSource; node: NodeGpu | null }[] = [];
  for (const [source, open] of SOURCES) found.push(await look(source, open));
  const chosen = found.find(({ node }) => node !== null);
  const adapter = chosen?.source.adapter ?? null;
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: { model: cpus()[0]?.model.trim() ?? 'unknown', threads: availableParallelism() },
    memory: { totalBytes: totalmem(), freeBytes: freemem(), addressSpace: space },
    disk: await freeDisk(process.cwd()),
    vulkan: { loader: findLoader(), drivers: findDrivers() },
    missingPackages: missingPackages(...ALL_NEEDS),
    adapters: found.map(({ source }) => source),
    chosen:
      adapter && chosen
        ? { name: adapter.name, kind: adapter.kind, why: reason(chosen.source.source, adapter) }
        : null,
    ceilings: chosen?.node ? await ceilingsOf(chosen.node) : null,
    media: await mediaDecoders(),
  };
}

const SOURCES = [
  ['system', () => openSystem('fast')],
  ['system software', () => openSystemSoftware('fast')],
  ['SwiftShader from npm', () => openSwiftShader('fast')],
] as const;

async function look(
  source: AdapterSource['source'],
  open: () => Promise<NodeGpu | null>,
): Promise<{ source: AdapterSource; node: NodeGpu | null }> {
  try {
    const node = await open();
    return { source: { source, adapter: node && describe(node.adapter), problem: null }, node };
  } catch (cause) {
    return { source: { source, adapter: null, problem: messageOf(cause) }, node: null };
  }
}

function describe(adapter: GPUAdapter): AdapterReport {
  const { info } = adapter;
  const { subgroupMatrixConfigs = [] } = info as { subgroupMatrixConfigs?: readonly SubgroupMatrix[] };
  return {
    ...describeAdapter(info),
    limits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
    features: [...adapter.features].sort(),
    subgroupSizes: [info.subgroupMinSize, info.subgroupMaxSize],
    subgroupMatrices: [...subgroupMatrixConfigs].map(({ componentType, resultComponentType, M, N, K }) => ({
      componentType,
      resultComponentType,
      M,
      N,
      K,
    })),
  };
}

function reason(source: AdapterSource['source'], { kind }: AdapterReport): string {
  if (source === 'SwiftShader from npm')
    return 'Dawn accepts no driver of this machine, and SwiftShader from npm works';
  return kind === 'gpu'
    ? 'it is hardware'
    : 'there is no hardware adapter, and this is the software adapter of the system';
}

async function ceilingsOf(node: NodeGpu): Promise<Ceilings> {
  const gpu = await Gpu.fromAdapter(node.adapter, { profile: 'fast' });
  try {
    return await measureCeilings(gpu);
  } finally {
    gpu.destroy();
  }
}

async function mediaDecoders(): Promise<DoctorReport['media']> {
  try {
    requirePackages('decoding media', 'media');
    checkAddressSpace('decoder');
    const { registerMediabunnyServer } = await import('@mediabunny/server');
    const { getDecodableAudioCodecs, getDecodableVideoCodecs } = await import('mediabunny');
    registerMediabunnyServer();
    return { video: await getDecodableVideoCodecs(), audio: await getDecodableAudioCodecs(), problem: null };
  } catch (cause) {
    return { video: [], audio: [], problem: messageOf(cause) };
  }
}

async function freeDisk(folder: string): Promise<DoctorReport['disk']> {
  const { bavail, bsize } = await statfs(folder);
  return { folder, freeBytes: bavail * bsize };
}

function findLoader(): string | null {
  const search = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const standard = [
    '/usr/local/lib',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/lib64',
    '/usr/lib',
  ];
  const paths = [...search, ...standard].map((folder) => join(folder, 'libvulkan.so.1'));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Manifests of the Vulkan drivers that the loader finds. */
function findDrivers(): string[] {
  const named = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'];
  if (named !== undefined) return named.split(':');
  const roots = ['/etc', '/usr/local/share', '/usr/share', join(homedir(), '.local', 'share')];
  return roots
    .map((root) => join(root, 'vulkan', 'icd.d'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
}
