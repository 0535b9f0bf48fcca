import { Gpu, type GpuOptions } from '../gpu/gpu.ts';
import { checkDeviceOptions, Device, type DeviceOptions } from '../tensor/device.ts';
import { openNodeGpu } from './adapter.ts';

/** A device in Node: Dawn from npm, on hardware or on a software adapter. */
export class NodeDevice extends Device {
  /**
   * Opens a device; `openNodeGpu` says which adapter is chosen and what is thrown. The default of `debug` is the environment
   * variable DEBUG.
   */
  static override async create(options: DeviceOptions = {}): Promise<NodeDevice> {
    checkDeviceOptions(options);
    const all: DeviceOptions = { ...debugLevel(process.env['DEBUG']), ...options };
    if (all.gpuDevice !== undefined) return new NodeDevice(Gpu.fromDevice(all.gpuDevice, all), all);
    const { adapter = 'auto', profile = 'checked' } = all;
    const opened = await openNodeGpu({ adapter, profile });
    return new NodeDevice(await Gpu.fromAdapter(opened.adapter, all), all);
  }
}

/** Parses DEBUG. Values other than 1 to 4 are ignored, because other packages read DEBUG too. */
function debugLevel(text: string | undefined): Pick<GpuOptions, 'debug'> {
  const debug = ([1, 2, 3, 4] as const).find((level) => String(level) === text);
  return debug === undefined ? {} : { debug };
}
