import { describe, expect, it } from 'vitest';
import { renderKernelReport, type KernelReport } from '../../../../src/avsc/node/report/kernels.ts';

const HOSTILE = `</script><script>hit=1</script><img src=x onerror="hit=1">`;

const kernel = {
  kernel: 'conv2d forward 3x3 s1',
  shape: '48 x 864 x 1568',
  reasons: ['normReluInLoad'],
  count: 2,
  units: null,
  milliseconds: 1.5,
  intensity: 12,
  flopsPerSecond: 30e9,
  bytesPerSecond: 2.5e9,
  share: 0.5,
  bound: 'compute',
} as const;

const report: KernelReport = {
  device: HOSTILE,
  finished: '2026-12-01T12:00:00Z',
  batch: 4,
  precision: 'f16',
  tuned: 3,
  ceilings: { fmaGflops: 60, copyGBps: 5, matrixF16Gflops: 480, matrixF32Gflops: null },
  nets: [
    {
      net: 'small',
      stepMilliseconds: 4,
      kernels: [
        kernel,
        { ...kernel, kernel: 'move [4, 3]', intensity: 0, flopsPerSecond: 0, share: 0.9, bound: 'memory' },
        { ...kernel, kernel: HOSTILE, count: 1, milliseconds: 0.5, units: 'matrixF16' },
      ],
    },
  ],
};

describe('the report of kernels', () => {
  it('says of each what share of the ceiling it reaches, and what bounds it', async () => {
    const page = await renderKernelReport(report);
    const text = page
      .replace(/<script[^]*?<\/script>/g, '')
      .replace(/<[^>]*>|\s+/g, ' ')
      .replace(/ +/g, ' ');
    expect(text).toContain('conv2d forward 3x3 s1 48 x 864 x 1568; norm relu in load 46.2 % 2 1.50 12.0');
    expect(text).toContain('30.0 G 2.50 G 50 % arithmetic');
    expect(text).toContain('90 % memory');
    expect(text).toContain('Matrices of f16 480 GFLOP/s');
    expect(text).not.toContain('Matrices of f32');
    // 0.5, 0.9 and 0.5 of 3, 3 and 0.5 ms.
    expect(text).toContain('68 % Of the ceiling');
    expect(text).toContain('Kernels that only move, 1 of them, are in the table alone.');
  });

  it('holds names as text', async () => {
    const page = await renderKernelReport(report);
    expect(page).not.toContain('<script>hit');
    expect(page).not.toContain('<img src=x');
  });
});
