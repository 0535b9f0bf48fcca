import { Gpu } from '../../src/gpu/gpu.ts';
import type { GpuOptions, Profile } from '../../src/gpu/gpu.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import type { AdapterChoice } from '../../src/node/adapter.ts';

/** The adapter that tests run on: WAVELIGHT_TEST_ADAPTER (default software), WAVELIGHT_TEST_PROFILE (default checked). */
export const testAdapter = (process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software') as AdapterChoice;
export const testProfile = (process.env['WAVELIGHT_TEST_PROFILE'] ?? 'checked') as Profile;

/** WAVELIGHT_TEST_BAKE=1 puts parameters into the WGSL as constants, as on hardware. */
const baked = process.env['WAVELIGHT_TEST_BAKE'] === '1' ? { bakeParams: true } : {};

/** A Gpu on the tests' adapter; destroy() it in afterAll. New storage is poisoned with NaN. */
export async function testGpu(options: GpuOptions = {}): Promise<Gpu> {
  const node = await openNodeGpu({ adapter: testAdapter, profile: testProfile });
  return Gpu.fromAdapter(node.adapter, { profile: testProfile, poison: true, ...baked, ...options });
}
