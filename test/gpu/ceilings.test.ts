import { expect, it } from 'vitest';
import { measureCeilings } from '../../src/gpu/ceilings.ts';
import { testGpu } from '../support/device.ts';

it('measures what the device can do, and leaves no memory behind', async () => {
  const gpu = await testGpu({ poison: false });
  const start = performance.now();
  const ceilings = await measureCeilings(gpu);
  console.log(`${gpu.description.name}: ${JSON.stringify(ceilings)} in ${performance.now() - start} ms`);
  // No device this runs on, however busy, is outside of these: a wrong unit or a kernel that was optimised away would be.
  expect(ceilings.fmaGflops).toBeGreaterThan(0.05);
  expect(ceilings.fmaGflops).toBeLessThan(200_000);
  expect(ceilings.copyGBps).toBeGreaterThan(0.01);
  expect(ceilings.copyGBps).toBeLessThan(12_000);
  expect(ceilings.dispatchMicroseconds).toBeGreaterThan(0.1);
  expect(ceilings.dispatchMicroseconds).toBeLessThan(20_000);
  expect(ceilings.readbackMilliseconds).toBeLessThan(100);
  expect(ceilings.submitMilliseconds).toBeGreaterThan(0);
  expect(ceilings.submitMilliseconds).toBeLessThan(100);
  expect(ceilings.fmaF16Gflops !== null).toBe(gpu.geometry.f16);
  if (ceilings.fmaF16Gflops !== null) expect(ceilings.fmaF16Gflops).toBeGreaterThan(0.01);
  for (const [type, rate] of [
    ['f16', ceilings.matrixF16Gflops],
    ['f32', ceilings.matrixF32Gflops],
  ] as const) {
    const has = gpu.geometry.matrices.some(
      (one) => one.componentType === type && one.resultComponentType === 'f32',
    );
    expect(rate !== null).toBe(has);
    if (rate !== null) expect(rate).toBeGreaterThan(0.01);
  }
  expect(gpu.counters.bytesHeld).toBeLessThanOrEqual(4096);
  gpu.destroy();
});
