import { describe, expect, it } from 'vitest';
import { maxStorageBytes, profileOf, PROFILES, TRAITS } from '../../src/gpu/profile.ts';
import type { Description } from '../../src/gpu/profile.ts';
import { chooseGemm, TILES } from '../../src/kernels/gemm_choice.ts';
import { spread } from '../../src/kernels/context.ts';
import { testGpu } from '../support/device.ts';

const LIMITS = {
  maxBufferSize: 2 ** 32 - 1,
  maxStorageBufferBindingSize: 2 ** 27,
  maxComputeWorkgroupsPerDimension: 65535,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 32768,
};
const adapter = (kind: Description['kind'], name: string): Description => ({
  kind,
  name,
  vendor: '',
  architecture: '',
});

describe("an adapter's profile", () => {
  it('is made of limits, features and the family, and of what is known of one adapter', () => {
    const features = new Set(['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix']);
    const sizes = {
      subgroupMinSize: 8,
      subgroupMaxSize: 8,
      subgroupMatrixConfigs: PROFILES.lavapipe.matrices,
    };
    const lavapipe = profileOf(LIMITS, features, adapter('cpu', 'llvmpipe (LLVM 19.1.7)'), sizes);
    expect(lavapipe).toEqual(PROFILES.lavapipe);
    expect(profileOf(LIMITS, features, adapter('gpu', 'without sizes')).subgroups).toBe(null);
    const swiftshader = profileOf(LIMITS, new Set(), adapter('cpu', 'SwiftShader driver 5.0.0'));
    expect(swiftshader).toMatchObject({ ...TRAITS.cpu, fusionPays: false, f16: false });
    const hardware = profileOf(LIMITS, new Set(), adapter('gpu', 'NVIDIA H100'));
    expect(hardware).toMatchObject({ ...TRAITS.gpu, maxBindingBytes: 2 ** 27, subgroups: null });
  });

  it('is what the device of the tests has', async () => {
    const gpu = await testGpu();
    const { limits, device, description } = gpu;
    const expected = profileOf(limits, device.features, description, device.adapterInfo);
    // A device's own info lacks the matrices.
    expect(gpu.geometry).toEqual({ ...expected, matrices: gpu.geometry.matrices });
    expect(gpu.maxStorageBytes).toBe(maxStorageBytes(gpu.geometry));
    gpu.destroy();
  });

  it('bounds storages by buffer and binding, in whole alignments', () => {
    expect(maxStorageBytes(PROFILES.h100)).toBe(2 ** 31 - 256);
    expect(maxStorageBytes(PROFILES.phone)).toBe(2 ** 27);
    expect(maxStorageBytes({ ...PROFILES.phone, maxBufferBytes: 1000 })).toBe(768);
  });

  it('chooses kernels for adapters that are not here', () => {
    const sum = {
      groups: 1,
      rows: 48,
      columns: 1728,
      outer: [4, 16],
      inner: 56,
      c: { length: 48 * 1728 },
      a: { dtype: 'f32' },
      b: { dtype: 'f32' },
    } as const;
    const splits = Object.entries(PROFILES).map(([name, profile]) => {
      const choice = chooseGemm(profile, sum);
      expect(TILES[choice.tile].skeleton === 'tiled', name).toBe(profile.workgroupTiles);
      expect(spread(profile, 70_000)).toEqual([35_000, 2, 1]);
      return choice.splits;
    });
    const [h100 = 0, phone = 0, lavapipe = 0] = splits;
    expect(h100).toBeGreaterThan(phone);
    expect(phone).toBeGreaterThanOrEqual(lavapipe);
  });
});
