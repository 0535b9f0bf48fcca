import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INSTRUCTION_WORDS } from '../../src/kernels/pictures.ts';
import { FEATURE_WORDS } from '../../src/kernels/features.ts';
import type { Augmentation } from '../../src/avsc/experiment/augmentation.ts';
import { preset } from '../../src/avsc/experiment/presets.ts';
import { feedTraining, receive, type InputPlan, type TrainingData } from '../../src/avsc/training/inputs.ts';
import { createModel, findStage } from '../../src/avsc/training/model.ts';
import { createTrainer } from '../../src/avsc/training/trainer.ts';
import { manualSeed, noGrad, type Device, type Tensor } from '../../src/index.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';

const SIZE = 48;
const AUDIO = 6 * 128 * 39;
const FRAMES = 2 * 3 * SIZE * SIZE;

let device: Device;
beforeAll(async () => {
  device = await testDevice({ fusion: true });
});
afterAll(() => device.destroy());

const picture = {
  kind: 'picture',
  size: SIZE,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;
const augmentation: Augmentation = {
  extraClips: null,
  features: { specAugment: { mask: 0.1 }, channelConfusion: 0.5 },
  pictures: {
    operations: ['Sharpness', 'Contrast', 'Rotate'],
    count: 2,
    magnitude: 9,
    probability: 1,
    scale: 'original',
  },
  mixup: { share: 0.5, ratio: { alpha: 0.4 }, on: 'inputs' },
};
const plan: InputPlan = {
  parts: [
    { part: 'audio', from: 'logmel' },
    { part: 'video', from: 'frames' },
  ],
  picture,
  augmentation,
  seed: 3,
};

const soundOf = (sample: number) => Float32Array.from(hashValues(`sound${sample}`, AUDIO, 'uniform'));
const framesOf = (sample: number) =>
  Uint8Array.from(
    hashValues(`frames${sample}`, FRAMES, 'uniform'),
    (value) => Math.floor(128 * (value + 1)) % 256,
  );

/** Samples by number; each may have a partner and a ratio. */
interface Row {
  readonly sample: number;
  readonly partner?: number;
  readonly ratio?: number;
}

/** The rows of a batch as a loader gives them, with `spare` partner rows that are not used. */
function batchOf(rows: readonly Row[], epoch: number, spare = 0): TrainingData {
  const partners = rows.flatMap(({ partner }) => (partner === undefined ? [] : [partner]));
  const samples = [...rows.map(({ sample }) => sample), ...partners];
  const total = samples.length + spare;
  const logmel = new Float32Array(total * AUDIO);
  const frames = new Uint8Array(total * FRAMES);
  samples.forEach((sample, i) => {
    logmel.set(soundOf(sample), i * AUDIO);
    frames.set(framesOf(sample), i * FRAMES);
  });
  let next = rows.length;
  const labels = new Float32Array(rows.length * 10);
  rows.forEach(({ sample }, i) => (labels[i * 10 + (sample % 10)] = 1));
  return {
    inputs: { logmel, frames },
    epoch,
    labels,
    keys: [...samples.map((sample) => 1000 + sample), ...Array<null>(spare).fill(null)],
    mix: {
      partner: Int32Array.from(rows, ({ partner }, i) => (partner === undefined ? i : next++)),
      ratio: Float32Array.from(rows, ({ ratio }) => ratio ?? 1),
    },
  };
}

/** The model's inputs as the recorded step makes them. */
async function received(
  data: TrainingData,
  count: number,
): Promise<{ audio: Float32Array; video: Float32Array }> {
  const step = device.compile((...tensors: Tensor[]) =>
    noGrad(() => {
      const { inputs } = receive(plan, tensors);
      if (inputs.audio === undefined || inputs.video === undefined) throw new Error('an input is missing');
      return { audio: inputs.audio, video: inputs.video };
    }),
  );
  const { audio, video } = await step(...feedTraining(plan, data, count));
  const read = { audio: (await audio.data()) as Float32Array, video: (await video.data()) as Float32Array };
  step.dispose();
  return read;
}

describe('a batch to train on', () => {
  it('treats a sample by its key and epoch alone, whatever the batch is', async () => {
    const rows: readonly Row[] = [
      { sample: 1 },
      { sample: 2, partner: 7, ratio: 0.3 },
      { sample: 3 },
      { sample: 4, partner: 1, ratio: 0.9 },
    ];
    const whole = await received(batchOf(rows, 5, 1), 4);
    expect([whole.audio.length, whole.video.length]).toEqual([4 * AUDIO, 4 * FRAMES]);
    for (const [i, row] of rows.entries()) {
      const alone = await received(batchOf([row, { sample: 9 }], 5), 2);
      expect(alone.audio.subarray(0, AUDIO)).toEqual(whole.audio.subarray(i * AUDIO, (i + 1) * AUDIO));
      expect(alone.video.subarray(0, FRAMES)).toEqual(whole.video.subarray(i * FRAMES, (i + 1) * FRAMES));
    }
    const later = await received(batchOf(rows, 6, 1), 4);
    expect(later.video).not.toEqual(whole.video);
  });

  it('mixes what partners look like by themselves', async () => {
    const ratio = 0.25;
    const own = await received(batchOf([{ sample: 1 }, { sample: 7 }], 2), 2);
    const mixed = await received(batchOf([{ sample: 1, partner: 7, ratio }, { sample: 3 }], 2), 2);
    let worst = 0;
    for (const [part, values] of [
      ['audio', AUDIO],
      ['video', FRAMES],
    ] as const) {
      for (let i = 0; i < values; i++) {
        const [a = NaN, b = NaN] = [own[part][i], own[part][values + i]];
        worst = Math.max(worst, Math.abs((mixed[part][i] ?? NaN) - (ratio * a + (1 - ratio) * b)));
      }
    }
    console.log(`mixed inputs differ by at most ${worst.toExponential(1)} from the mean of their rows`);
    expect(worst).toBeLessThan(1e-6);
  });

  it('has tables of draws for each row, zeros for unused ones', () => {
    const inputs = feedTraining(plan, batchOf([{ sample: 1 }, { sample: 2 }], 1, 2), 2) as unknown as {
      data: ArrayLike<number>;
      shape: number[];
    }[];
    expect(inputs.map(({ shape }) => shape)).toEqual([
      [4, 6, 128, 39],
      [4, 6, FEATURE_WORDS],
      [4, 2, (3 * SIZE * SIZE) / 4],
      [4, 2, 2, INSTRUCTION_WORDS],
      [2],
      [2],
      [2, 10],
    ]);
    const programs = Array.from(inputs[3]?.data ?? []);
    expect(programs.slice(0, programs.length / 2).some((word) => word !== 0)).toBe(true);
    expect(programs.slice(programs.length / 2).every((word) => word === 0)).toBe(true);
  });
});

describe('a training step with augmentation', () => {
  async function train(steps: number): Promise<{ losses: number[]; submits: number; created: number }> {
    const small = preset('small');
    manualSeed(4);
    const model = createModel(small, findStage(small, 'joint'));
    model.net.to(device);
    const trainer = createTrainer(device, model, { kind: 'adam', learningRate: 1e-3, weightDecay: 0 }, plan);
    const losses: number[] = [];
    let before = device.counters;
    for (let step = 0; step < steps; step++) {
      if (step === 2) before = device.counters;
      device.randomStep = step;
      const batch = batchOf([{ sample: step }, { sample: 5, partner: 6, ratio: 0.5 }], step, 0);
      losses.push(await (await trainer.step(batch, 2, 1e-3)).loss.item());
    }
    const after = device.counters;
    trainer.dispose();
    model.net.dispose();
    return {
      losses,
      submits: after.submits - before.submits,
      created:
        after.buffersCreated + after.pipelinesCreated - before.buffersCreated - before.pipelinesCreated,
    };
  }

  it('is one submit, creates nothing, and gives the same bits again', async () => {
    const first = await train(5);
    // One submit for the step, one to read its loss.
    expect([first.submits, first.created]).toEqual([2 * 3, 0]);
    expect((await train(5)).losses).toEqual(first.losses);
  });
});
