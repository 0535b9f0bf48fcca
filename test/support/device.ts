import { Gpu } from '../../src/gpu/gpu.ts';
import type { GpuOptions, Profile } from '../../src/gpu/gpu.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import type { AdapterChoice } from '../../src/node/adapter.ts';
import { withLastingDevice } from './lasting_device.ts';

/** The adapter that tests run on: WAVELIGHT_TEST_ADAPTER (default software), WAVELIGHT_TEST_PROFILE (default checked). */
export const testAdapter = (process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software') as AdapterChoice;
export const testProfile = (process.env['WAVELIGHT_TEST_PROFILE'] ?? 'checked') as Profile;

/** WAVELIGHT_TEST_BAKE=1 puts parameters into the WGSL as constants, as on hardware. */
const baked = process.env['WAVELIGHT_TEST_BAKE'] === '1' ? { bakeParams: true } : {};

const openAdapter = async (): Promise<GPUAdapter> =>
  (await openNodeGpu({ adapter: testAdapter, profile: testProfile })).adapter;

/** Shared by the test files that a worker process runs. */
let lasting: Promise<GPUAdapter> | undefined;

/**
 * A Gpu on the tests' adapter; destroy() it in afterAll. New storage is poisoned with NaN. What it compiles stays compiled for other
 * tests of the process.
 */
export async function testGpu(options: GpuOptions = {}): Promise<Gpu> {
  lasting ??= openAdapter().then(withLastingDevice);
  return openGpu(await lasting, options);
}

/** Whether kernels for subgroups of eight invocations run on the tests' adapter, as on lavapipe. */
export async function hasSubgroupsOfEight(): Promise<boolean> {
  const { features, info } = await (lasting ??= openAdapter().then(withLastingDevice));
  return features.has('subgroups') && info.subgroupMinSize === 8 && info.subgroupMaxSize === 8;
}

/** A Gpu on a GPUDevice of its own, for tests of a device's errors and end. */
export async function ownGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openGpu(await openAdapter(), options);
}

const openGpu = (adapter: GPUAdapter, options: GpuOptions): Promise<Gpu> =>
  Gpu.fromAdapter(adapter, { profile: testProfile, poison: true, ...baked, ...options });
