import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DenseNet } from '../src/avsc/models/densenet.ts';
import { crossEntropy, manualSeed, nn, optim, type Tensor } from '../src/index.ts';
import { ceilings, explain, inspect, roofline, time, type Inspection } from '../src/inspect.ts';
import { typicalTimes } from '../src/inspect/time.ts';
import type { Device } from '../src/tensor/device.ts';
import { testDevice } from './support/engine.ts';

const IMAGES = { data: new Float32Array(4 * 3 * 32 * 32).map((_, i) => Math.sin(i)), shape: [4, 3, 32, 32] };
const LABELS = { data: Int32Array.of(0, 1, 2, 3), shape: [4] };

/** A training step of a net of two dense blocks. */
function denseStep(device: Device) {
  manualSeed(1);
  const net = new DenseNet({ stem: 8, growthRate: 4, blocks: [2, 2] }, 10).to(device).train();
  const adam = new optim.Adam(net.parameters());
  return device.compile((images: Tensor, labels: Tensor) => {
    adam.zeroGrad();
    const loss = crossEntropy(net.forward(images), labels);
    loss.backward();
    adam.step();
    return loss;
  });
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

describe('a compiled step', () => {
  let device: Device;
  let step: ReturnType<typeof denseStep>;
  let fused: Inspection;
  beforeAll(async () => {
    device = await testDevice({ kind: 'gpu', fusion: true });
    step = denseStep(device);
    fused = inspect(step, [IMAGES, LABELS]);
  });
  afterAll(() => device.destroy());

  it('has the dispatches of its plan', () => {
    const labels: string[] = [];
    step.plan([IMAGES, LABELS], { onDispatch: ({ label }) => labels.push(label) });
    expect(fused.dispatches.map(({ kernel }) => kernel)).toEqual(labels);
  });

  it('knows whose work each dispatch does', () => {
    const without = fused.operations.filter(({ dispatches }) => dispatches.length === 0);
    expect(without.map(({ name }) => name)).toEqual([]);
    const namesOf = (index: number): (string | undefined)[] =>
      (fused.dispatches[index]?.operations ?? []).map((operation) => fused.operations[operation]?.name);
    const convolutions = fused.dispatches.flatMap(({ kernel }, i) =>
      /^conv2d forward 3x3/.test(kernel) ? [i] : [],
    );
    expect(convolutions).toHaveLength(4);
    for (const i of convolutions) {
      // A layer of the dense block: norm and ReLU in the load, the next norm's statistics and the slot in the store.
      expect(namesOf(i)).toEqual(['conv2d', 'batchNorm apply', 'relu', 'concat']);
      expect(fused.dispatches[i]?.reasons).toEqual([
        'normReluInLoad',
        'statisticsInEpilogue',
        'writtenInSlot',
      ]);
    }
    const reasons = new Set(fused.dispatches.flatMap((dispatch) => dispatch.reasons));
    for (const reason of [
      'correctionInLoad',
      'gradientAccumulated',
      'averageFirst',
      'splitSum',
      'allParameters',
      'materialized',
    ])
      expect(reasons).toContain(reason);
    expect(fused.fusions.map(({ reason }) => reason).sort()).toEqual([...reasons].sort());
    for (const { reason, sentence } of fused.fusions) expect(sentence).toBe(explain(reason));
    const written = fused.dispatches.find(({ kernel }) => kernel.startsWith('write activation'));
    expect(fused.operations[written?.reader ?? -1]?.name).toBe('sum');
  });

  it('has each op by itself without fusion', () => {
    const alone = inspect(step, [IMAGES, LABELS], { fusion: false });
    console.log(`${fused.dispatches.length} dispatches fused, ${alone.dispatches.length} without`);
    expect(alone.dispatches.length).toBeGreaterThan(1.5 * fused.dispatches.length);
    expect(alone.fusion).toBe(false);
    for (const { operations, reasons } of alone.dispatches)
      expect(operations).toHaveLength(reasons.includes('copiedForRoles') ? 0 : 1);
  });

  it('shows WGSL that declares the bindings', () => {
    for (const { wgsl, bindings, kernel } of fused.dispatches)
      for (const { binding, bytes } of bindings) {
        expect(wgsl, kernel).toContain(`@binding(${binding})`);
        expect(bytes).toBeGreaterThan(0);
      }
  });

  it("has the memory of the plan's statistics", () => {
    const { memory, statistics } = fused;
    expect(sum(Object.values(memory.persistent))).toBe(statistics.persistentBytes);
    expect(sum(Object.values(memory.arenas))).toBe(statistics.arenaBytes);
    expect(memory.peak.activation + memory.peak.workspace).toBe(statistics.peakLiveBytes);
    const { parameter = 0, gradient = 0, optimizer = 0, input } = memory.persistent;
    expect([gradient, optimizer]).toEqual([parameter, 2 * parameter]);
    expect(input).toBe(4 * (4 * 3 * 32 * 32 + 4));
    for (const { arena, offset, bytes, first, last } of memory.places) {
      expect(offset + bytes).toBeLessThanOrEqual(memory.arenas[arena] ?? 0);
      expect(first).toBeLessThanOrEqual(last);
    }
  });

  it('is plain data', () => {
    expect(structuredClone(fused)).toEqual(fused);
    expect(inspect(step, [IMAGES, LABELS])).toEqual(fused);
    expect(step.traces).toBe(0);
  });
});

describe('times', () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ poison: false });
  });
  afterAll(() => device.destroy());

  it('are those of the dispatches, and the step stays as it was', async () => {
    manualSeed(1);
    const net = new nn.Sequential([new nn.Linear(16, 32), new nn.ReLU(), new nn.Linear(32, 4)]).to(device);
    const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });
    const step = device.compile((x: Tensor, labels: Tensor) => {
      sgd.zeroGrad();
      const loss = crossEntropy(net.forward(x), labels);
      loss.backward();
      sgd.step();
      return loss;
    });
    const inputs = [{ data: new Float32Array(64).fill(1), shape: [4, 16] }, LABELS] as const;
    const before = inspect(step, inputs);
    await step(...inputs);
    expect(inspect(step, inputs)).toEqual(before);
    const times = await time(step, inputs, { repeats: 3 });
    expect(step.traces).toBe(1);
    console.log(`${times.milliseconds.toFixed(2)} ms a call, ${times.note ?? 'each dispatch timed'}`);
    expect(times.milliseconds).toBeGreaterThan(0);
    if (times.dispatches === null) expect(times.note).toMatch(/ has no timestamp-query here, /);
    else {
      expect(times.dispatches).toHaveLength(before.dispatches.length);
      expect(times.dispatches.every((milliseconds) => milliseconds >= 0)).toBe(true);
      expect(times.dispatches.some((milliseconds) => milliseconds > 0)).toBe(true);
    }
    await expect(time(step, inputs, { repeats: 0 })).rejects.toThrow('got 0');
  });

  it('have ceilings', async () => {
    const measured = await ceilings(device);
    expect(Object.keys(measured)).toEqual([
      'fmaGflops',
      'fmaF16Gflops',
      'matrixF16Gflops',
      'matrixF32Gflops',
      'copyGBps',
      'dispatchMicroseconds',
      'submitMilliseconds',
      'readbackMilliseconds',
    ]);
    for (const value of Object.values(measured)) if (value !== null) expect(value).toBeGreaterThan(0);
  });
});

describe('times of dispatches', () => {
  it('are medians', () => {
    const calls = [
      [0.25, 1.23],
      [0.31, 5.02],
      [0.29, 1.21],
    ];
    expect(typicalTimes(calls)).toEqual({ dispatches: [0.29, 1.23], note: null });
  });

  it('are means where the browser rounds them', () => {
    const { dispatches, note } = typicalTimes([
      [0, 0.3],
      [0.1, 0.2],
      [0, 0.3],
      [0, 0.3],
    ]);
    expect(dispatches?.map((time) => time.toFixed(6))).toEqual(['0.025000', '0.275000']);
    expect(note).toMatch(/rounds timestamps to 0.1 ms, .* means over 4 calls/);
  });
});

describe('roofline', () => {
  const measured = { fmaGflops: 100, copyGBps: 10 };
  const work = { kernel: 'k', flops: 2e9, bytes: 1e8, milliseconds: 40 };

  it('places kernels below the lower ceiling', () => {
    const { ridge, points } = roofline(
      [work, { ...work, flops: 1e8 }, { ...work, flops: 0 }, { ...work, milliseconds: 0 }],
      measured,
    );
    expect(ridge).toBe(10);
    expect(points).toHaveLength(3);
    let worst = 0;
    const close = (value = NaN, expected: number): void => {
      worst = Math.max(worst, Math.abs(value - expected));
      expect(value).toBeCloseTo(expected, 12);
    };
    // 20 flop/byte is beyond the ridge: 100 GFLOP/s are attainable, 50 were reached.
    expect(points[0]).toMatchObject({ intensity: 20, attainable: 1e11, bound: 'compute' });
    close((points[0]?.flopsPerSecond ?? 0) / 5e10, 1);
    close(points[0]?.share, 0.5);
    // 1 flop/byte: 10 GB/s allow 10 GFLOP/s, 2.5 were reached.
    expect(points[1]).toMatchObject({ intensity: 1, attainable: 1e10, bound: 'memory' });
    close(points[1]?.share, 0.25);
    // A copy: 10 of 40 ms.
    expect(points[2]).toMatchObject({ intensity: 0, flopsPerSecond: 0, bound: 'memory' });
    close(points[2]?.share, 0.25);
    console.log(`shares of the roofline: at most ${worst.toExponential(1)} off`);
  });

  it('judges products on subgroup matrices by the ceiling of matrices', () => {
    const ceilings = { ...measured, matrixF16Gflops: 1000, matrixF32Gflops: null };
    const works = [
      { ...work, units: 'matrixF16' as const },
      { ...work, units: 'matrixF32' as const },
    ];
    const { points, matrixFlopsPerSecond } = roofline(works, ceilings);
    expect(matrixFlopsPerSecond).toEqual({ matrixF16: 1e12 });
    // 20 flop/byte are below the ridge of the matrices, 100: 10 GB/s allow 200 GFLOP/s, 50 were reached.
    expect(points[0]).toMatchObject({ attainable: 2e11, bound: 'memory', share: 0.25, units: 'matrixF16' });
    // A ceiling that was not measured is that of multiply-adds.
    expect(points[1]).toMatchObject({ attainable: 1e11, bound: 'compute', share: 0.5 });
  });

  it('refuses ceilings that mean nothing', () => {
    expect(() => roofline([work], { ...measured, copyGBps: 0 })).toThrow('got 100 GFLOP/s and 0 GB/s');
    expect(() => roofline([work], { ...measured, fmaGflops: NaN })).toThrow(RangeError);
  });
});
