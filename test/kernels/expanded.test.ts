import { describe, expect, it } from 'vitest';
import type { Dispatch } from '../../src/gpu/dispatch.ts';
import { PROFILES } from '../../src/gpu/profile.ts';
import type { KernelContext } from '../../src/kernels/context.ts';
import { convBackwardData, convBackwardWeight, convForward } from '../../src/kernels/conv.ts';
import { convDataFused, convForwardFused, convWeightFused } from '../../src/kernels/conv_fused.ts';
import type { ConvChoice } from '../../src/kernels/conv_choice.ts';
import type { GemmChoice } from '../../src/kernels/gemm_choice.ts';
import type { MapView } from '../../src/kernels/maps.ts';
import { matmulKernel } from '../../src/kernels/matmul.ts';
import { extentOf, type Sizes } from './conv_reference.ts';
import { tableOf, viewOf } from './map_values.ts';
import { buffer } from './run.ts';

/*
 * The WGSL of the main GEMMs as a device gets it, in shaders/expanded: each can be read whole there, and a change of a template shows
 * what it does to them. `npx vitest run test/kernels/expanded.test.ts -u` writes them anew.
 */

const context = (name: keyof typeof PROFILES): KernelContext => ({
  geometry: PROFILES[name],
  temporary: (length, dtype = 'f32') => buffer(length, dtype),
});
const [GPU, CPU] = [context('h100'), context('lavapipe')];

function matmul(
  on: KernelContext,
  rows: number,
  columns: number,
  inner: number,
  { dtype = 'f32', tile }: { dtype?: 'f32' | 'f16'; tile?: GemmChoice['tile'] } = {},
): Dispatch[] {
  const extent = { batch: [], rows, columns, inner, transposeA: false, transposeB: false };
  return matmulKernel(
    on,
    extent,
    buffer(rows * inner, dtype),
    buffer(inner * columns, dtype),
    null,
    buffer(rows * columns),
    tile === undefined ? {} : { tile },
  );
}

/** A 3x3 of a dense block, a 1x1 of one, and a stem, at sizes for which no sum is split. */
const GROWTH: Sizes = [64, [192, 48], [56, 56], [3, 3], { p: [1, 1] }];
const BOTTLENECK: Sizes = [64, [384, 192], [56, 56], [1, 1]];
const STEM: Sizes = [64, [3, 96], [224, 224], [7, 7], { s: [2, 2], p: [3, 3] }];

function conv(sizes: Sizes, dtype: 'f32' | 'f16' = 'f32') {
  const extent = extentOf(sizes);
  const { images, inChannels, outChannels, input, output } = extent;
  const map = (channels: number, pixels: number): MapView => {
    const view = viewOf(images, channels, pixels);
    return { ...view, buffer: buffer(view.buffer.length, dtype) };
  };
  const x = map(inChannels, input.y * input.x);
  const y = map(outChannels, output.y * output.x);
  const norm = tableOf([[], [], [], [], []], [inChannels, 0]).table;
  const coefficients = tableOf([[], [], []], [outChannels, 0]).table;
  const weight = buffer(
    (outChannels * inChannels * extent.kernel.y * extent.kernel.x) / extent.groups,
    dtype,
  );
  const dw = buffer(weight.length);
  const activation = { kind: 'activation', map: x, norm, relu: true } as const;
  const dyInput = map(outChannels, output.y * output.x);
  const gradient = { kind: 'gradient', gradient: y, input: dyInput, coefficients } as const;
  return {
    plain: (on: KernelContext) => convForward(on, extent, x.buffer, weight, null, y.buffer),
    plainData: (on: KernelContext) => convBackwardData(on, extent, y.buffer, weight, x.buffer),
    plainWeight: (on: KernelContext) => convBackwardWeight(on, extent, y.buffer, x.buffer, dw),
    forward: (on: KernelContext, method: ConvChoice['method'] = 'direct') =>
      convForwardFused(on, extent, { x: activation, weight, bias: null, y, moments: true }, { method })
        .dispatches,
    data: (on: KernelContext) => {
      const dy = on.geometry.correctGradientInLoad ? gradient : ({ kind: 'plain', map: y } as const);
      const own = map(inChannels, input.y * input.x);
      const out = { kind: 'norm', x, norm, relu: true, gradient: own, mode: 'accumulate' } as const;
      return convDataFused(on, extent, { dy, weight, out }, { method: 'direct' }).dispatches;
    },
    weight: (on: KernelContext) => convWeightFused(on, extent, { dy: gradient, x: activation, dw }),
  };
}

const KERNELS: Record<string, Dispatch[]> = {
  matmul_tiled: matmul(GPU, 2048, 2048, 1024),
  matmul_registers: matmul(CPU, 256, 256, 256),
  matmul_registers_ragged: matmul(CPU, 256, 255, 255),
  conv_stem_tiled: conv(STEM).plain(GPU),
  conv_forward_tiled_fused: conv(GROWTH).forward(GPU),
  conv_forward_registers_fused: conv(GROWTH).forward(CPU),
  conv_forward_winograd_registers_fused: conv(GROWTH).forward(CPU, 'winogradFused').slice(-1),
  conv_forward_1x1_tiled_fused: conv(BOTTLENECK).forward(GPU),
  conv_data_tiled: conv(GROWTH).plainData(GPU),
  conv_data_1x1_tiled_fused: conv(BOTTLENECK).data(GPU),
  conv_data_registers_fused: conv(GROWTH).data(CPU),
  conv_weight_registers: conv(GROWTH).plainWeight(CPU),
  conv_weight_tiled_fused: conv(GROWTH).weight(GPU),
  matmul_matrix: matmul(GPU, 4096, 4096, 4096, { dtype: 'f16' }),
  matmul_matrix_of_8: matmul(CPU, 256, 255, 255, { dtype: 'f16', tile: 'matrix64x64' }),
  conv_forward_matrix_fused: conv(GROWTH, 'f16').forward(GPU),
  conv_data_1x1_matrix_fused: conv(BOTTLENECK, 'f16').data(GPU),
  conv_weight_matrix_fused: conv(GROWTH, 'f16').weight(GPU),
};

describe('the expanded WGSL', () => {
  it.each(Object.entries(KERNELS))('of %s is the one in shaders/expanded', async (name, [dispatch]) => {
    const { label, shape, code } = dispatch ?? { label: '', shape: '', code: '' };
    // Lines that a choice left empty would only part the text.
    const text = code.replace(/\n{3,}/g, '\n\n').trimStart();
    const head = `// Expanded from shaders/*.wgsl by test/kernels/expanded.test.ts: ${label}, ${shape}. Not read by anything.\n\n`;
    await expect(`${head}${text}`).toMatchFileSnapshot(`../../shaders/expanded/${name}.wgsl`);
  });
});
