import { describeAdapter } from '../gpu/gpu.ts';
import type { Profile } from '../gpu/gpu.ts';
import { unpackSwiftShader } from './swiftshader.ts';

export type AdapterChoice = 'auto' | 'gpu' | 'software';

export interface NodeGpuOptions {
  readonly adapter: AdapterChoice;
  readonly profile: Profile;
}

/** Keep `gpu` referenced for as long as its devices are used: Dawn's event loop lives with it. */
export interface NodeGpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/** What the fast profile asks of Dawn: unsafe for untrusted shaders, and an invalid one ends the process. */
const FAST = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,disable_robustness,disable_workgroup_init,skip_validation',
  'disable-dawn-features=lazy_clear_resource_on_first_use,timestamp_quantization',
];

/** Everything validated; experimental features and exact timestamps are still wanted. */
const CHECKED = [
  'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
  'disable-dawn-features=timestamp_quantization',
];

/**
 * Opens an adapter through Dawn. `auto`: hardware, else the system's software adapter if Dawn accepts it (Mesa's
 * lavapipe 25 or later), else SwiftShader from npm. `gpu` takes hardware only, `software` only the latter two.
 * Throws an Error that says what was found and what to do.
 */
export async function openNodeGpu({ adapter: choice, profile }: NodeGpuOptions): Promise<NodeGpu> {
  const system = await openSystem(choice, profile);
  if (system !== null && (choice !== 'gpu' || describeAdapter(system.adapter.info).kind === 'gpu'))
    return system;
  if (choice === 'gpu') {
    const found =
      system === null ? 'none' : `only ${describeAdapter(system.adapter.info).name}, which is software`;
    throw new Error(
      `adapter 'gpu' needs a hardware adapter, found ${found}: install its driver, or choose 'auto' or 'software'`,
    );
  }
  return openSwiftShader(profile);
}

/** What the machine's own drivers offer; null where Dawn accepts none. */
async function openSystem(choice: AdapterChoice, profile: Profile): Promise<NodeGpu | null> {
  const gpu = await createInstance(profile);
  const adapter = await gpu.requestAdapter(
    choice === 'software' ? { forceFallbackAdapter: true } : { powerPreference: 'high-performance' },
  );
  return adapter === null ? null : { gpu, adapter };
}

async function openSwiftShader(profile: Profile): Promise<NodeGpu> {
  const { manifest, loader } = unpackSwiftShader();
  const { default: koffi } = await import('koffi');
  // A loader by this name that is in the process already satisfies Dawn's dlopen, and nothing else needs a Vulkan installation.
  koffi.load(loader);
  const restore = setEnvironment({ VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest });
  try {
    const gpu = await createInstance(profile);
    const adapter = await gpu.requestAdapter({ forceFallbackAdapter: true });
    if (adapter === null)
      throw new Error(`Dawn does not accept SwiftShader (${manifest}): delete its folder and try again`);
    return { gpu, adapter };
  } finally {
    restore();
  }
}

async function createInstance(profile: Profile): Promise<GPU> {
  const { create } = await import('webgpu').catch((cause: unknown) => {
    throw new Error(
      `the package webgpu does not load on ${process.platform} ${process.arch}: npm install webgpu`,
      { cause },
    );
  });
  const backend = process.platform === 'linux' ? ['backend=vulkan'] : [];
  return create([...backend, ...(profile === 'fast' ? FAST : CHECKED)]);
}

/** The Vulkan loader reads these from the process while an instance is made. */
function setEnvironment(values: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
