import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import {
  batchNormApply,
  batchNormRunningStats,
  batchNormStats,
  type NormShape,
} from '../../src/kernels/norm.ts';
import { batchNormInputGradient, batchNormSums } from '../../src/kernels/norm_backward.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

// Of two values xhat is +-1 whatever they are, dx cancels to nothing and has no relative error: three at least.
const SHAPES: NormShape[] = [
  { batch: 3, channels: 1, length: 1 },
  { batch: 17, channels: 5, length: 1 },
  { batch: 700, channels: 3, length: 1 },
  { batch: 3, channels: 70, length: 4 },
  { batch: 1, channels: 3, length: 49 },
  { batch: 5, channels: 6, length: 49 },
  { batch: 2, channels: 3, length: 15 * 17 },
  { batch: 70, channels: 2, length: 16 },
  { batch: 3, channels: 2, length: 112 * 112 },
  { batch: 2, channels: 2, length: 111 * 113 },
];

const EPS = 1e-5;
const MOMENTUM = 0.3;

interface Statistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

const channelOf = ({ channels, length }: NormShape, e: number): number => Math.floor(e / length) % channels;

function perChannel(shape: NormShape, value: (e: number) => number): Float64Array {
  const sums = new Float64Array(shape.channels);
  for (let e = 0; e < shape.batch * shape.channels * shape.length; e++) {
    const c = channelOf(shape, e);
    sums[c] = (sums[c] ?? 0) + value(e);
  }
  return sums;
}

function statisticsOf(shape: NormShape, x: Float32Array): Statistics {
  const count = shape.batch * shape.length;
  const mean = perChannel(shape, (e) => x[e] ?? 0).map((sum) => sum / count);
  const variance = perChannel(shape, (e) => ((x[e] ?? 0) - (mean[channelOf(shape, e)] ?? 0)) ** 2);
  return { mean, variance: variance.map((sum) => sum / count) };
}

describe.each(VARIANTS)('batch normalisation, $kind kernels', ({ kind, bakeParams }) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ bakeParams });
  });
  afterAll(() => gpu.destroy());

  it.each([
    { training: true, affine: true, offset: 30 },
    { training: true, affine: false, offset: 0 },
    { training: false, affine: true, offset: 1 },
  ])('equals f64: training $training, affine $affine, mean $offset', async ({ training, affine, offset }) => {
    const worst: Record<string, number> = {};
    for (const shape of SHAPES) {
      const { batch, channels, length } = shape;
      const size = batch * channels * length;
      const name = `${batch} ${channels} ${length}`;
      const input = normal(`x ${name}`, size).map((v) => v + offset);
      const gradient = normal(`dy ${name}`, size);
      const gamma = normal(`weight ${name}`, channels);
      const beta = normal(`bias ${name}`, channels);
      const startMean = normal(`mean ${name}`, channels);
      const startVariance = normal(`var ${name}`, channels).map((v) => 0.5 + v * v);
      const [x, dy, y, dx] = [buffer(size), buffer(size), buffer(size), buffer(size)];
      const [w, b, mean, variance] = [buffer(channels), buffer(channels), buffer(channels), buffer(channels)];
      const [stats, dweight, dbias] = [buffer(2 * channels), buffer(channels), buffer(channels)];
      const [weight, bias] = affine ? [w, b] : [null, null];
      const context = contextOf(gpu, kind);
      const sums = { dweight, dbias };
      const dispatches = [
        ...(training
          ? batchNormStats(context, x, stats, shape, EPS, { mean, variance, momentum: MOMENTUM })
          : [batchNormRunningStats(context, mean, variance, stats, EPS)]),
        batchNormApply(context, x, stats, { weight, bias }, y, shape),
        ...batchNormSums(context, dy, x, stats, sums, shape),
        batchNormInputGradient(
          context,
          { dy, stats, weight, dx, training: training ? { x, sums } : null },
          shape,
        ),
      ];
      const bindings = new Map<typeof x, Values>([
        [x, input],
        [dy, gradient as Values],
        [mean, startMean as Values],
        [variance, startVariance],
      ]);
      if (affine) bindings.set(w, gamma as Values).set(b, beta as Values);
      const results = await runDispatches(gpu, dispatches, bindings);

      const count = batch * length;
      const used = training
        ? statisticsOf(shape, input)
        : { mean: Float64Array.from(startMean), variance: Float64Array.from(startVariance) };
      const invstd = used.variance.map((v) => 1 / Math.sqrt(v + EPS));
      const at = (list: ArrayLike<number>, e: number): number => list[channelOf(shape, e)] ?? Number.NaN;
      const xhat = Float64Array.from(input, (v, e) => (v - at(used.mean, e)) * at(invstd, e));
      const scale = (e: number): number => (affine ? at(gamma, e) : 1);
      const sumDy = perChannel(shape, (e) => gradient[e] ?? 0);
      const sumProduct = perChannel(shape, (e) => (gradient[e] ?? 0) * (xhat[e] ?? 0));
      const expected: [string, typeof x, Float64Array][] = [
        ['y', y, xhat.map((v, e) => v * scale(e) + (affine ? at(beta, e) : 0))],
        ['dweight', dweight, sumProduct],
        ['dbias', dbias, sumDy],
        [
          'dx',
          dx,
          Float64Array.from(gradient, (g, e) => {
            const through = training ? (at(sumDy, e) + (xhat[e] ?? 0) * at(sumProduct, e)) / count : 0;
            return scale(e) * at(invstd, e) * (g - through);
          }),
        ],
      ];
      if (training) {
        const moved = (from: ArrayLike<number>, to: Float64Array): Float64Array =>
          to.map((v, c) => (1 - MOMENTUM) * (from[c] ?? 0) + MOMENTUM * v);
        const unbiased = used.variance.map((v) => (v * count) / (count - 1));
        expected.push(['running mean', mean, moved(startMean, used.mean)]);
        expected.push(['running variance', variance, moved(startVariance, unbiased)]);
      }
      for (const [what, ref, values] of expected) {
        const error = relativeError(results.get(ref), values);
        worst[what] = Math.max(worst[what] ?? 0, error);
      }
    }
    const shown = Object.entries(worst).map(([what, error]) => `${what} ${error.toExponential(1)}`);
    console.log(`batchNorm ${kind}, training ${training}, mean ${offset}: worst ${shown.join(', ')}`);
    expect(worst['y']).toBeLessThan(1e-5);
    for (const error of Object.values(worst)) expect(error).toBeLessThan(1e-4);
  });
});
