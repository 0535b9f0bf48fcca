import { expect, it } from 'vitest';
import { doctor } from '../../src/node/doctor.ts';
import { formatDoctor } from '../../src/node/format-doctor.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import { describeAdapter } from '../../src/gpu/gpu.ts';

it('says what this machine has, what auto takes and why, within seconds', async () => {
  const start = performance.now();
  const report = await doctor();
  const text = formatDoctor(report);
  console.log(`${text}\n(${((performance.now() - start) / 1000).toFixed(1)} s)`);
  const auto = await openNodeGpu({ adapter: 'auto', profile: 'fast' });
  expect(report.chosen?.name).toBe(describeAdapter(auto.adapter.info).name);
  expect(report.adapters.map(({ source }) => source)).toEqual([
    'system',
    'system software',
    'SwiftShader from npm',
  ]);
  for (const { adapter } of report.adapters) {
    if (adapter === null) continue;
    expect(adapter.limits['maxStorageBufferBindingSize']).toBeGreaterThanOrEqual(2 ** 27);
    const matrices = adapter.features.includes('chromium-experimental-subgroup-matrix');
    expect(adapter.subgroupMatrices.length > 0).toBe(matrices);
    for (const { M, N, K } of adapter.subgroupMatrices) expect(M * N * K).toBeGreaterThanOrEqual(64);
  }
  expect(report.ceilings?.fmaGflops).toBeGreaterThan(0.5);
  expect(report.media.problem).toBeNull();
  expect(report.media.video).toContain('avc');
  expect(report.media.audio).toContain('aac');
  expect(report.memory.freeBytes).toBeLessThanOrEqual(report.memory.totalBytes);
  expect(report.disk.freeBytes).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  for (const part of ['auto takes', 'GFLOP/s', 'vulkan loader', 'media decoders'])
    expect(text).toContain(part);
});
