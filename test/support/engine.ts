import { Device, type DeviceOptions } from '../../src/tensor/device.ts';
import { testGpu } from './device.ts';

/** An engine on the tests' adapter; destroy() it in afterAll. Memory that nothing has written is NaN. */
export async function testDevice(options: DeviceOptions = {}): Promise<Device> {
  return new Device(await testGpu(options));
}
