import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { augmentFeatures } from '../../../src/avsc/augment/features/augment.ts';
import { mixRows } from '../../../src/avsc/augment/features/mix.ts';
import { drawFeatureRow, PAPER_FEATURES } from '../../../src/avsc/augment/features/policy.ts';
import { packPictures } from '../../../src/avsc/augment/pictures/pack.ts';
import { perturbBytes } from '../../../src/avsc/augment/pictures/perturb.ts';
import { drawProgram, PAPER_PICTURES } from '../../../src/avsc/augment/pictures/policy.ts';
import { prepareFrames } from '../../../src/avsc/augment/pictures/prepare.ts';
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import { normalisePictures } from '../../../src/avsc/features/pictures.ts';
import {
  matmul,
  mean,
  optim,
  PlanningDevice,
  PROFILES,
  type Device,
  type Tensor,
} from '../../../src/index.ts';
import { FEATURE_WORDS } from '../../../src/kernels/features.ts';
import { INSTRUCTION_WORDS, pictureWords } from '../../../src/kernels/pictures.ts';
import { formatPlan } from '../../../src/tensor/plan/format.ts';
import { testDevice } from '../../support/engine.ts';
import { normal } from '../../support/hash.ts';
import { pictureOf } from './cases.ts';

const [BATCH, ROWS, FRAMES, SIZE, SLOTS] = [3, 5, 2, 12, PAPER_PICTURES.count];
const AREA = 3 * SIZE * SIZE;
const INPUT = { size: SIZE, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const SHAPE = [6, 16, 7] as const;

const bytes = Uint8Array.from({ length: ROWS * FRAMES }, () => 0).reduce<Uint8Array<ArrayBuffer>>(
  (all, _, i) => {
    all.set(
      pictureOf('noise', SIZE).map((v) => v ^ (31 * i)),
      i * AREA,
    );
    return all;
  },
  new Uint8Array(ROWS * FRAMES * AREA),
);

const programsOf = (seed: number) =>
  Array.from({ length: ROWS * FRAMES }, (_, i) => drawProgram(PAPER_PICTURES, SIZE, randomStream(seed, i)));

/** Inputs of a step, drawn by a seed. */
function inputsOf(seed: number) {
  const rows = Array.from({ length: ROWS }, (_, i) =>
    drawFeatureRow(PAPER_FEATURES, SHAPE, randomStream(seed, i)),
  );
  return [
    { data: packPictures(bytes, SIZE), shape: [ROWS, FRAMES, pictureWords(SIZE)] },
    {
      data: Int32Array.from(programsOf(seed).flatMap((program) => [...program])),
      shape: [ROWS, FRAMES, SLOTS, INSTRUCTION_WORDS],
    },
    { data: normal('logmel', ROWS * 6 * 16 * 7), shape: [ROWS, ...SHAPE] },
    { data: Int32Array.from(rows.flatMap((row) => [...row])), shape: [ROWS, SHAPE[0], FEATURE_WORDS] },
    { data: Int32Array.of(3, 1, 4), shape: [BATCH] },
    { data: Float32Array.of(0.7, 1, 0.2), shape: [BATCH] },
  ] as const;
}

function augment(...inputs: readonly Tensor[]): { frames: Tensor; features: Tensor } {
  const [words, programs, logmel, table, partner, ratio] = inputs as readonly [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const mix = { partner, ratio };
  return {
    frames: prepareFrames(words, programs, mix, INPUT),
    features: augmentFeatures(logmel, table, mix),
  };
}

describe('a training step that augments', () => {
  let device: Device;
  beforeAll(async () => (device = await testDevice()));
  afterAll(() => device.destroy());

  it('submits once, makes nothing anew and reads nothing back; the same draws give the same bits', async () => {
    const weight = device.tensor(normal('w', FRAMES * AREA), [FRAMES * AREA, 1], { requiresGrad: true });
    const sgd = new optim.SGD([weight], { lr: 0 });
    const step = device.compile((...inputs: Tensor[]) => {
      sgd.zeroGrad();
      const { frames, features } = augment(...inputs);
      const loss = mean(matmul(frames.reshape([BATCH, FRAMES * AREA]), weight)).add(mean(features));
      loss.backward();
      sgd.step();
      return loss;
    });
    const losses = async (seed: number) => {
      const loss = await (await step(...inputsOf(seed))).item();
      return [loss, ...((await weight.grad?.data()) ?? [])];
    };
    const first = await losses(1);
    expect(await losses(2)).not.toEqual(first);
    expect(await losses(1)).toEqual(first);
    const inputs = inputsOf(3);
    const before = device.counters;
    for (let i = 0; i < 20; i++) await step(...inputs);
    const after = device.counters;
    expect(after.submits - before.submits).toBe(20);
    expect(after.buffersCreated - before.buffersCreated).toBe(0);
    expect(after.bindGroupsCreated - before.bindGroupsCreated).toBe(0);
    expect(after.bytesHeld).toBe(before.bytesHeld);
    expect(step.traces).toBe(1);
    step.dispose();
  });

  it("takes four dispatches for the paper's policy, one without a policy, and is what the host does", async () => {
    const step = device.compile((words: Tensor, programs: Tensor) =>
      prepareFrames(words, programs, null, INPUT),
    );
    const plain = device.compile((words: Tensor) => prepareFrames(words, null, null, INPUT));
    const [words, programs] = inputsOf(4);
    const result = await (await step(words, programs)).data();
    const unchanged = await (await plain(words)).data();
    expect([step, plain].map((fn) => fn.statistics().dispatches)).toEqual([4, 1]);
    const host = programsOf(4).map((program, i) =>
      perturbBytes(bytes.subarray(i * AREA, (i + 1) * AREA), program, SIZE),
    );
    for (const [frames, pictures] of [
      [result, host.flatMap((picture) => [...picture])],
      [unchanged, bytes],
    ] as const) {
      const want = new Float32Array(pictures.length);
      normalisePictures(Uint8Array.from(pictures), SIZE, INPUT, want);
      expect(frames).toEqual(want);
    }
    step.dispose();
    plain.dispose();
  });

  it('refuses what does not fit', () => {
    const [words, programs] = inputsOf(5).map(({ data, shape }) => device.tensor(data, shape)) as [
      Tensor,
      Tensor,
    ];
    expect(() => prepareFrames(words, programs, null, { ...INPUT, size: 13 })).toThrow(
      'prepareFrames takes words of u32 [rows, frames, 127] for pictures of 13, got u32 [5, 2, 108]',
    );
    expect(() => prepareFrames(words, programs.reshape([5, 2, 16]), null, INPUT)).toThrow(
      'prepareFrames takes programs of i32 [5, 2, instructions, 8], got i32 [5, 2, 16]',
    );
    const mix = { partner: device.tensor(Int32Array.of(5)), ratio: device.tensor([1]) };
    expect(() => prepareFrames(words, programs, mix, INPUT)).toThrow(
      'prepareFrames: partner 5 is outside 0 to 4',
    );
  });
});

describe('mixRows in a step', () => {
  it('mixes labels and embeddings alike', async () => {
    const device = await testDevice();
    const step = device.compile((x: Tensor, partner: Tensor, ratio: Tensor) =>
      mixRows(x, { partner, ratio }),
    );
    const labels = { data: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), shape: [3, 3] };
    const mixed = await step(labels, { data: Int32Array.of(2, 1), shape: [2] }, Float32Array.of(0.75, 1));
    expect([...(await mixed.data())]).toEqual([0.75, 0, 0.25, 0, 1, 0]);
    step.dispose();
    await device.destroy();
  });
});

describe.each(['h100', 'phone', 'lavapipe', 'swiftshader'] as const)('a plan for %s', (name) => {
  it('has the dispatches of the step', () => {
    const device = new PlanningDevice({ name, geometry: PROFILES[name] });
    const specs = inputsOf(1).map(({ data, shape }) => ({
      shape,
      dtype:
        data instanceof Float32Array
          ? ('f32' as const)
          : data instanceof Int32Array
            ? ('i32' as const)
            : ('u32' as const),
    }));
    let text = '';
    const { dispatches } = device.plan((...inputs: Tensor[]) => augment(...inputs), specs, {
      onPlan: (plan) => (text = formatPlan(plan)),
    });
    expect(dispatches).toBe(5);
    expect(text).toContain('frames [6, 3, 12, 12] mixed');
    expect(text).toContain('augment features [3, 6, 16, 7]');
  });
});
