// The package as the guide's samples import it, on the adapter that tests take.

import { NodeDevice } from '../../src/node/device.ts';
import type { DeviceOptions } from '../../src/node.ts';
import { testGpu } from '../support/device.ts';

export * from '../../src/node.ts';

/** Opens the tests' device, where kernels stay compiled, instead of looking for an adapter. */
export class Device extends NodeDevice {
  static override async create(options: DeviceOptions = {}): Promise<NodeDevice> {
    return options.gpuDevice === undefined
      ? new NodeDevice(await testGpu(options), options)
      : NodeDevice.create(options);
  }
}
