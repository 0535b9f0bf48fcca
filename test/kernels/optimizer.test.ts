import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BufferRef } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { KernelContext } from '../../src/kernels/context.ts';
import { adam, clipNorm, sgd, type Span } from '../../src/kernels/optimizer.ts';
import { testGpu } from '../support/device.ts';
import { normal } from '../support/hash.ts';
import { contextOf, relativeError, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';

/** Slots of the run's scalars. */
const STEP_SIZE = 2;
const DENOMINATOR = 3;
const DECAY = 4;
const LR = 5;
const STEP = 3;
const [RATE, L2] = [0.01, 0.1];
const BETAS = [0.9, 0.999] as const;

const scalars = Float32Array.of(
  0,
  0,
  RATE / (1 - BETAS[0] ** STEP),
  Math.sqrt(1 - BETAS[1] ** STEP),
  RATE * L2,
  RATE,
);

/** Lengths and parts: dense, with an odd end, not in step with vectors, several. */
const LAYOUTS: { length: number; spans: Span[] }[] = [
  { length: 1, spans: [{ offset: 0, length: 1 }] },
  { length: 1024, spans: [{ offset: 0, length: 1024 }] },
  { length: 256, spans: [{ offset: 64, length: 67 }] },
  { length: 97, spans: [{ offset: 3, length: 90 }] },
  {
    length: 384,
    spans: [
      { offset: 0, length: 130 },
      { offset: 192, length: 3 },
    ],
  },
];

const random = (name: string, length: number, f = (x: number) => x): Values =>
  Float32Array.from(normal(name, length), f);

const inSpans = (spans: readonly Span[], i: number): boolean =>
  spans.some(({ offset, length }) => i >= offset && i < offset + length);

/** One element's update: [p, state, ...] from [p, g, state, ...]. */
type Update = (values: number[]) => number[];

/** Runs a kernel on random vectors and compares what it changed with `update`, and the rest with what was there. */
async function check(
  gpu: Gpu,
  layout: { length: number; spans: Span[] },
  states: number,
  scale: number | null,
  kernel: (vectors: BufferRef[], gradScale: BufferRef | null) => ReturnType<typeof adam>,
  update: Update,
): Promise<number> {
  const { length, spans } = layout;
  const vectors = Array.from({ length: 2 + states }, () => buffer(length));
  const gradScale = scale === null ? null : buffer(1);
  const before = vectors.map((_, k) => random(`${k}`, length, k === 3 ? Math.abs : undefined));
  const bindings = new Map(vectors.map((vector, k) => [vector, before[k] ?? new Float32Array(0)]));
  if (gradScale !== null) bindings.set(gradScale, Float32Array.of(scale ?? 1));
  const results = await runDispatches(gpu, kernel(vectors, gradScale), bindings, scalars);
  const written = vectors.flatMap((vector, k) => (k === 1 ? [] : [{ vector, k }]));
  const expected = written.map(({ k }) => Float64Array.from(before[k] ?? []));
  for (let i = 0; i < length; i++) {
    if (!inSpans(spans, i)) continue;
    const given = before.map((values, k) => (values[i] ?? NaN) * (k === 1 ? (scale ?? 1) : 1));
    update(given).forEach((value, k) => {
      const vector = expected[k];
      if (vector !== undefined) vector[i] = value;
    });
  }
  const errors = written.map(({ vector, k }, j) => {
    const after = results.get(vector) ?? new Float32Array(0);
    after.forEach((value, i) => {
      if (!inSpans(spans, i)) expect(value).toBe(before[k]?.[i]);
    });
    return relativeError(after, expected[j] ?? []);
  });
  return Math.max(...errors);
}

describe.each(VARIANTS)(
  'optimiser kernels, $kind variant, params baked: $bakeParams',
  ({ kind, bakeParams }) => {
    let gpu: Gpu;
    let context: KernelContext;
    beforeAll(async () => {
      gpu = await testGpu({ bakeParams });
      context = contextOf(gpu, kind);
    });
    afterAll(() => {
      gpu.destroy();
    });

    const adamUpdate =
      (weightDecay: number, decoupled: number): Update =>
      ([p = NaN, g = NaN, m = NaN, v = NaN]) => {
        const gradient = g + weightDecay * p;
        const first = BETAS[0] * m + (1 - BETAS[0]) * gradient;
        const second = BETAS[1] * v + (1 - BETAS[1]) * gradient ** 2;
        const step = RATE / (1 - BETAS[0] ** STEP);
        const denominator = Math.sqrt(second / (1 - BETAS[1] ** STEP)) + 1e-8;
        return [p * (1 - RATE * decoupled) - (step * first) / denominator, first, second];
      };

    it.each([
      { name: 'Adam', weightDecay: 0, decay: null, scale: null },
      { name: 'Adam with weight decay, scaled', weightDecay: L2, decay: null, scale: 0.25 },
      { name: 'AdamW', weightDecay: 0, decay: DECAY, scale: null },
    ])('$name', async ({ name, weightDecay, decay, scale }) => {
      const settings = {
        betas: BETAS,
        eps: 1e-8,
        weightDecay,
        stepSize: STEP_SIZE,
        denominator: DENOMINATOR,
        decay,
      };
      const update = adamUpdate(weightDecay, decay === null ? 0 : L2);
      const errors: number[] = [];
      for (const layout of LAYOUTS) {
        const kernel = (vectors: BufferRef[], gradScale: BufferRef | null) => {
          const [
            parameters = buffer(1),
            gradients = buffer(1),
            firstMoments = buffer(1),
            secondMoments = buffer(1),
          ] = vectors;
          const buffers = {
            parameters,
            gradients,
            firstMoments,
            secondMoments,
            gradScale,
            gate: null,
            packed: null,
          };
          return adam(context.geometry, buffers, layout.spans, settings);
        };
        errors.push(await check(gpu, layout, 2, scale, kernel, update));
      }
      console.log(`${name}, ${kind}: worst relative error ${Math.max(...errors).toExponential(1)}`);
      expect(Math.max(...errors)).toBeLessThan(5e-7);
    });

    it.each([
      { name: 'plain', momentum: 0, nesterov: false, scale: null },
      { name: 'plain, scaled', momentum: 0, nesterov: false, scale: 0.5 },
      { name: 'momentum', momentum: 0.9, nesterov: false, scale: null },
      { name: "Nesterov's momentum, scaled", momentum: 0.9, nesterov: true, scale: 0.5 },
    ])('SGD: $name', async ({ momentum, nesterov, scale }) => {
      const settings = { momentum, nesterov, weightDecay: L2, lr: LR };
      const update: Update = ([p = NaN, g = NaN, b = 0]) => {
        const gradient = g + L2 * p;
        const next = momentum * b + gradient;
        const direction = momentum === 0 ? gradient : nesterov ? gradient + momentum * next : next;
        return [p - RATE * direction, next];
      };
      for (const layout of LAYOUTS) {
        const kernel = (vectors: BufferRef[], gradScale: BufferRef | null) => {
          const [parameters = buffer(1), gradients = buffer(1), velocity = null] = vectors;
          return sgd(
            context.geometry,
            { parameters, gradients, momentum: velocity, gradScale, gate: null, packed: null },
            layout.spans,
            settings,
          );
        };
        const error = await check(gpu, layout, momentum === 0 ? 0 : 1, scale, kernel, update);
        expect(error).toBeLessThan(3e-7);
      }
    });

    it('norm over several vectors and the clip coefficient', async () => {
      const large = 300_002;
      const vectors = [
        ...LAYOUTS.map(({ length, spans }) => ({ buffer: buffer(length), spans })),
        { buffer: buffer(large), spans: [{ offset: 0, length: large }] },
      ];
      const values = vectors.map(({ buffer: { length } }, k) => random(`vector ${k}`, length));
      const squares = vectors.map(({ spans }, k) =>
        Array.from(values[k] ?? []).reduce((sum, x, i) => (inSpans(spans, i) ? sum + x * x : sum), 0),
      );
      const exact = Math.sqrt(squares.reduce((a, b) => a + b, 0));
      const bindings = new Map(vectors.map(({ buffer: ref }, k) => [ref, values[k] ?? new Float32Array(0)]));
      for (const maxNorm of [1, 1e9]) {
        const [norm, coefficient] = [buffer(1), buffer(1)];
        const results = await runDispatches(
          gpu,
          clipNorm(context, vectors, norm, coefficient, maxNorm),
          bindings,
        );
        const got = results.get(norm)?.[0] ?? NaN;
        expect(Math.abs(got / exact - 1)).toBeLessThan(1e-6);
        expect(relativeError(results.get(coefficient), [Math.min(1, maxNorm / (exact + 1e-6))])).toBeLessThan(
          1e-6,
        );
        const again = await runDispatches(
          gpu,
          clipNorm(context, vectors, norm, coefficient, maxNorm),
          bindings,
        );
        expect(again.get(norm)?.[0]).toBe(got);
      }
    });
  },
);
