import { Gpu, type GpuOptions } from '../gpu/gpu.ts';
import { checkDeviceOptions, Device, type DeviceOptions } from '../tensor/device.ts';
import { openNodeGpu } from './adapter.ts';
import { readTuned, tunedPath } from './tuned-file.ts';

/** A device in Node: Dawn from npm, on hardware or on a software adapter. */
export class NodeDevice extends Device {
  /**
   * Opens a device; `openNodeGpu` says which adapter is chosen and what is thrown. What `wavelight bench tune` measured of the adapter
   * is used. The default of `debug` is the environment
   * variable DEBUG.
   */
  static override async create(options: DeviceOptions = {}): Promise<NodeDevice> {
    checkDeviceOptions(options);
    const all: DeviceOptions = { ...debugLevel(process.env['DEBUG']), ...options };
    const gpu = await openGpu(all);
    await takeTuned(gpu);
    return new NodeDevice(gpu, all);
  }
}

async function openGpu(options: DeviceOptions): Promise<Gpu> {
  if (options.gpuDevice !== undefined) return Gpu.fromDevice(options.gpuDevice, options);
  const { adapter = 'auto', profile = 'checked' } = options;
  const opened = await openNodeGpu({ adapter, profile });
  return Gpu.fromAdapter(opened.adapter, options);
}

/** Gives the device what was measured of its adapter before, and warns of a file that cannot be used. */
async function takeTuned(gpu: Gpu): Promise<void> {
  // Typed as always there, but absent in older implementations.
  const info = gpu.device.adapterInfo as GPUAdapterInfo | undefined;
  if (info === undefined) return;
  const { tuned, problem } = await readTuned(tunedPath(info), info);
  if (problem !== null) process.emitWarning(`${problem}: it is ignored; wavelight bench tune measures anew`);
  gpu.tuned = tuned;
}

/** Parses DEBUG. Values other than 1 to 4 are ignored, because other packages read DEBUG too. */
function debugLevel(text: string | undefined): Pick<GpuOptions, 'debug'> {
  const debug = ([1, 2, 3, 4] as const).find((level) => String(level) === text);
  return debug === undefined ? {} : { debug };
}
