import { Gpu } from '../gpu/gpu.ts';
import { Device, type DeviceOptions } from '../tensor/device.ts';
import { openNodeGpu, type NodeGpu } from './adapter.ts';

/** A device in Node: Dawn from npm, on hardware or on a software adapter. */
export class NodeDevice extends Device {
  /** Dawn's instance, which must stay referenced for as long as the device is used. */
  readonly instance: NodeGpu | null;

  private constructor(gpu: Gpu, instance: NodeGpu | null) {
    super(gpu);
    this.instance = instance;
  }

  /** Opens a device; see `openNodeGpu` for what is chosen and what is thrown. */
  static override async create(options: DeviceOptions = {}): Promise<NodeDevice> {
    if (options.gpuDevice !== undefined)
      return new NodeDevice(Gpu.fromDevice(options.gpuDevice, options), null);
    const profile = options.profile ?? 'checked';
    const instance = await openNodeGpu({ adapter: options.adapter ?? 'auto', profile });
    return new NodeDevice(await Gpu.fromAdapter(instance.adapter, options), instance);
  }
}
