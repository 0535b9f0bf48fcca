import { describeAdapter } from '../gpu/gpu.ts';
import type { Profile } from '../gpu/gpu.ts';
import { checkAddressSpace } from './address-space.ts';
import { messageOf } from './files.ts';
import { missingPackages, requirePackages } from './packages.ts';
import { pausePolls } from './polling.ts';
import { unpackSwiftShader } from './swiftshader.ts';

export type AdapterChoice = 'auto' | 'gpu' | 'software';

export interface NodeGpuOptions {
  readonly adapter: AdapterChoice;
  readonly profile: Profile;
}

export interface NodeGpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/** Dawn's toggles in the fast profile. It is unsafe for untrusted shaders, and an invalid shader aborts the process. */
const FAST = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness,disable_workgroup_init,skip_validation',
  'disable-dawn-features=lazy_clear_resource_on_first_use,timestamp_quantization',
];

/** Dawn's toggles in the checked profile: full validation, with experimental features and exact timestamps. */
const CHECKED = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
];

/**
 * Opens an adapter through Dawn. `auto`: hardware, else the system's software adapter if Dawn accepts it (Mesa's
 * lavapipe 25 or later), else SwiftShader from npm. `gpu` takes hardware only, `software` only the latter two.
 * Throws an Error that says what was found and what to do.
 */
export async function openNodeGpu(options: NodeGpuOptions): Promise<NodeGpu> {
  const opened = await open(options);
  // A GPU works by itself; a software adapter needs the core that waiting would occupy.
  if (describeAdapter(opened.adapter.info).kind === 'cpu') {
    const { globals } = await import('webgpu');
    pausePolls(globals as Parameters<typeof pausePolls>[0]);
  }
  return opened;
}

async function open({ adapter: choice, profile }: NodeGpuOptions): Promise<NodeGpu> {
  if (missingPackages('hardware').length > 0)
    requirePackages('a device', choice === 'gpu' ? 'hardware' : 'device');
  if (choice === 'software') return (await openSystemSoftware(profile)) ?? openSwiftShader(profile);
  const system = await openSystem(profile);
  const found = system === null ? null : describeAdapter(system.adapter.info);
  if (system !== null && (choice === 'auto' || found?.kind === 'gpu')) return system;
  if (choice === 'auto') return openSwiftShader(profile);
  throw new Error(
    `adapter 'gpu' needs a hardware adapter, found ${found === null ? 'none' : `only ${found.name}, which is software`}: ` +
      `install the GPU's Vulkan driver, or choose 'auto' or 'software'`,
  );
}

/** The best of the machine's own adapters, hardware before software; null if Dawn accepts none. */
export async function openSystem(profile: Profile): Promise<NodeGpu | null> {
  const gpu = instance(await loadDawn(), dawnOptions(profile));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  return adapter === null ? null : { gpu, adapter };
}

/** The machine's own software adapter, whether or not it also has hardware; null if Dawn accepts none. */
export async function openSystemSoftware(profile: Profile): Promise<NodeGpu | null> {
  // Dawn's forceFallbackAdapter knows SwiftShader and WARP but not lavapipe, which must be requested by name.
  const byName = process.platform === 'linux';
  const create = await loadDawn();
  try {
    const gpu = instance(create, [...dawnOptions(profile), ...(byName ? ['adapter=llvmpipe'] : [])]);
    const adapter = await gpu.requestAdapter({ forceFallbackAdapter: !byName });
    return adapter === null ? null : { gpu, adapter };
  } catch (cause) {
    if (String(cause).includes('no adapter')) return null;
    throw cause;
  }
}

/** SwiftShader from npm. Throws an Error if it cannot be unpacked or Dawn refuses it. */
export async function openSwiftShader(profile: Profile): Promise<NodeGpu> {
  const { manifest, loader } = await unpackSwiftShader();
  const { default: koffi } = await import('koffi');
  // A loaded library of this name satisfies Dawn's dlopen, so Vulkan need not be installed.
  koffi.load(loader);
  const environment = nativeEnvironment(koffi);
  const create = await loadDawn();
  // The Vulkan loader reads these variables while Dawn looks for adapters. Nothing is awaited until they are restored, so no other code sees them.
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  environment.set({ VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest });
  const gpu = instance(create, dawnOptions(profile), 'swiftshader');
  const found = gpu.requestAdapter();
  environment.set({ VK_DRIVER_FILES, VK_ICD_FILENAMES });
  const adapter = await found;
  if (adapter === null) {
    throw new Error(`Dawn does not accept SwiftShader (${manifest}): delete its folder and try again`);
  }
  return { gpu, adapter };
}

interface Environment {
  /** Sets variables, or removes those that are undefined. */
  set(variables: Readonly<Record<string, string | undefined>>): void;
}

/**
 * The environment that native code sees. Bun's `process.env` is a copy of it, which the Vulkan loader never reads, so it is set
 * through the C library (of x64 Linux, as SwiftShader is).
 */
function nativeEnvironment(koffi: (typeof import('koffi'))['default']): Environment {
  const c = koffi.load('libc.so.6');
  const setenv = c.func('int setenv(const char *name, const char *value, int overwrite)');
  const unsetenv = c.func('int unsetenv(const char *name)');
  return {
    set: (variables) => {
      for (const [name, value] of Object.entries(variables)) {
        if (value === undefined) unsetenv(name);
        else setenv(name, value, 1);
      }
    },
  };
}

type CreateGpu = (options: string[]) => GPU;

/**
 * Dawn's instances by their options. They live as long as the process: Dawn ends it when an instance is collected
 * before the last of its devices.
 */
const instances = new Map<string, GPU>();

function instance(create: CreateGpu, options: string[], environment = ''): GPU {
  const key = [environment, ...options].join(' ');
  const known = instances.get(key);
  if (known !== undefined) return known;
  const gpu = create(options);
  instances.set(key, gpu);
  return gpu;
}

let dawn: CreateGpu | undefined;

async function loadDawn(): Promise<CreateGpu> {
  if (dawn !== undefined) return dawn;
  requirePackages('a device', 'hardware');
  checkAddressSpace('dawn');
  try {
    dawn = (await import('webgpu')).create;
    return dawn;
  } catch (cause) {
    const machine = `${process.platform} ${process.arch}`;
    throw new Error(`the package webgpu does not load on ${machine}: ${messageOf(cause)}`, { cause });
  }
}

function dawnOptions(profile: Profile): string[] {
  const backend = process.platform === 'linux' ? ['backend=vulkan'] : [];
  return [...backend, ...(profile === 'fast' ? FAST : CHECKED)];
}
