import { Gpu } from '../gpu/gpu.ts';
import { Device, type DeviceOptions } from '../tensor/device.ts';
import { openNodeGpu } from './adapter.ts';

/** A device in Node: Dawn from npm, on hardware or on a software adapter. */
export class NodeDevice extends Device {
  /** Opens a device; see `openNodeGpu` for what is chosen and what is thrown. */
  static override async create(options: DeviceOptions = {}): Promise<NodeDevice> {
    if (options.gpuDevice !== undefined) return new NodeDevice(Gpu.fromDevice(options.gpuDevice, options));
    const { adapter = 'auto', profile = 'checked' } = options;
    const opened = await openNodeGpu({ adapter, profile });
    return new NodeDevice(await Gpu.fromAdapter(opened.adapter, options));
  }
}
