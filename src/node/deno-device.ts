import { describeAdapter, Gpu } from '../gpu/gpu.ts';
import { checkDeviceOptions, Device, type DeviceOptions } from '../tensor/device.ts';
import { NodeDevice } from './device.ts';

/**
 * A device in Deno: by Deno's own WebGPU (wgpu) where that has an adapter of the kind asked for, which takes no package; else
 * by Dawn from npm, as in Node. Measured with Deno 2.9: its own runs all kernels, on Mesa's lavapipe 22 already, which Dawn refuses, and has
 * no adapter where the machine has no Vulkan driver; Dawn from npm works in it, with SwiftShader too.
 */
export class DenoDevice extends Device {
  /** Opens a device. Throws an Error where there is no adapter of the kind asked for; `openNodeGpu` says which others are tried. */
  static override async create(options: DeviceOptions = {}): Promise<Device> {
    checkDeviceOptions(options);
    if (options.gpuDevice !== undefined)
      return new DenoDevice(Gpu.fromDevice(options.gpuDevice, options), options);
    const adapter = await ownAdapter(options.adapter ?? 'auto');
    if (adapter === null) return NodeDevice.create(options);
    return new DenoDevice(await Gpu.fromAdapter(adapter, options), options);
  }
}

/** An adapter of the runtime's own; null without one of that kind. */
async function ownAdapter(choice: NonNullable<DeviceOptions['adapter']>): Promise<GPUAdapter | null> {
  const gpu = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
  const found = await gpu?.requestAdapter(
    choice === 'software' ? { forceFallbackAdapter: true } : { powerPreference: 'high-performance' },
  );
  if (found === undefined || found === null) return null;
  const { kind } = describeAdapter(found.info);
  return choice === 'auto' || kind === (choice === 'gpu' ? 'gpu' : 'cpu') ? found : null;
}
