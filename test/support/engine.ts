import { TRAITS, type Description } from '../../src/gpu/profile.ts';
import { Device, type DeviceOptions } from '../../src/tensor/device.ts';
import { testGpu } from './device.ts';

/**
 * An engine on the tests' adapter; destroy() it in afterAll. Memory that nothing has written is NaN. `kind` has kernels
 * take the variant for that kind of adapter, whatever this one is.
 */
export async function testDevice(
  options: DeviceOptions & { readonly kind?: Description['kind'] } = {},
): Promise<Device> {
  const { kind, ...rest } = options;
  const gpu = await testGpu(rest);
  if (kind !== undefined) {
    const { fusionPays } = gpu.geometry;
    Object.defineProperty(gpu, 'geometry', { value: { ...gpu.geometry, ...TRAITS[kind], fusionPays } });
  }
  return new Device(gpu, options);
}
