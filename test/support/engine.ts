import { TRAITS, type Description, type WorkBudget } from '../../src/gpu/profile.ts';
import { Device, type DeviceOptions } from '../../src/tensor/device.ts';
import { testGpu } from './device.ts';

/**
 * An engine on the tests' adapter; destroy() it in afterAll. Memory that nothing has written is NaN. `kind` has kernels
 * take the variant for that kind of adapter, whatever this one is.
 */
export async function testDevice(
  options: DeviceOptions & {
    readonly kind?: Description['kind'];
    /** Kernels for a GPU take matrix units too, whose WGSL software adapters compile for seconds. */
    readonly matrices?: true;
    /** Splits dispatches of more work. */
    readonly budget?: WorkBudget;
  } = {},
): Promise<Device> {
  const { kind, budget, matrices, ...rest } = options;
  const gpu = await testGpu(rest);
  const { fusionPays } = gpu.geometry;
  const traits = {
    ...(kind && { ...TRAITS[kind], fusionPays }),
    ...(budget && { budget }),
    ...(!matrices && { matrices: [] }),
  };
  Object.defineProperty(gpu, 'geometry', { value: { ...gpu.geometry, ...traits } });
  return new Device(gpu, options);
}
