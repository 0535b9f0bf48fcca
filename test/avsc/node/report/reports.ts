// Realistic reports for the tests: curves, confusions and probabilities of nets that learn, pictures of the synthetic data set.

import { SCENES } from '../../../../src/avsc/dataset/scenes.ts';
import { randomStream, type Random } from '../../../../src/avsc/dataset/random.ts';
import type { RunReport, TableReport } from '../../../../src/avsc/node/report/data.ts';
import { pickExamples } from '../../../../src/avsc/node/report/examples.ts';
import { picturePng, spectrogramPng } from '../../../../src/avsc/node/report/pictures.ts';
import { makeCamera } from '../../../../src/avsc/synth/picture.ts';
import { SCENE_RULES } from '../../../../src/avsc/synth/rules.ts';
import { measure } from '../../../../src/avsc/training/metrics.ts';

const CLASSES = SCENES.length;
const SIZE = 224;

interface StagePlan {
  readonly id: string;
  readonly what: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly lr: number;
  /** How sure the trained net is of the true class, as the mean logit. */
  readonly skill: number;
}

export const PLAN: readonly StagePlan[] = [
  { id: 'audio', what: 'FCNN on log-mel, linear head', epochs: 10, stepsPerEpoch: 20, lr: 1e-1, skill: 4.2 },
  {
    id: 'video',
    what: 'DenseNet161 from Places365, linear head',
    epochs: 5,
    stepsPerEpoch: 20,
    lr: 1e-4,
    skill: 5.4,
  },
  {
    id: 'joint',
    what: 'Both extractors, MLP 512, 128, 64, 10',
    epochs: 5,
    stepsPerEpoch: 20,
    lr: 1e-5,
    skill: 6.6,
  },
];

/** A run of the stages of PLAN: 400 steps. Names may be given, so that a test can give hostile ones. */
export async function runReport(plan: readonly StagePlan[] = PLAN): Promise<RunReport> {
  const random = randomStream('report', 1);
  const labels = Int32Array.from({ length: 600 }, () => Math.floor(random() * CLASSES));
  const outputs = new Map(plan.map(({ id, skill }) => [id, probabilitiesOf(labels, skill, random)]));
  const final = plan.at(-1)?.id ?? '';
  const finals = outputs.get(final) ?? new Float64Array();
  const names = Array.from(labels, (_, i) => `clip-${i}`);
  const picked = pickExamples(finals, labels, names, { classes: CLASSES, right: 6, wrong: 9 });
  const examples = picked.map(async ({ index, kind }) => {
    const truth = SCENES[labels[index] ?? 0] ?? 'bus';
    const row = (values: Float64Array): number[] => [
      ...values.subarray(index * CLASSES, (index + 1) * CLASSES),
    ];
    return {
      clip: `${truth}-lisbon-${1000 + index}-${40000 + index}`,
      second: index % 10,
      truth,
      probabilities: Object.fromEntries([...outputs].map(([id, values]) => [id, row(values)])),
      frames: await Promise.all([0, 0.5].map((time) => picturePng(picture(truth, index, time), SIZE))),
      spectrogram: await spectrogramPng(spectrogram(index), 39, 4),
      kind,
    };
  });
  return {
    title: 'runs/paper-joint-mixup',
    description:
      'The paper’s final system: both extractors fine-tuned, augmentation of both inputs, mixup of 20 % of the samples.',
    data: '/data/TAU-urban-audio-visual-scenes-2021-development',
    device: 'NVIDIA H100 (Vulkan)',
    finished: '2026-11-24T14:45:00Z',
    final,
    scenes: SCENES,
    stages: plan.map(({ id, what }, i) => ({
      id,
      what,
      parameters: [11_805_322, 27_278_285, 40_412_618][i % 3] ?? 0,
      trained: [11_805_322, 22_090, 40_412_618][i % 3] ?? 0,
    })),
    steps: plan.flatMap((stage) => stepsOf(stage, random)),
    epochs: plan.flatMap(({ id, epochs, skill }) =>
      Array.from({ length: epochs }, (_, i) => ({
        stage: id,
        epoch: i + 1,
        loss: 0.2 + 2 * Math.exp((-4 * (i + 1)) / epochs) + 0.1 * random(),
        validation: {
          accuracy: (0.3 + skill / 10) * (1 - Math.exp(-1.2 * (i + 1))) + 0.01 * random(),
          logLoss: 0.3 + 1.5 * Math.exp((-3 * (i + 1)) / epochs) + 0.05 * random(),
        },
      })),
    ),
    timings: plan.flatMap(({ id, epochs, stepsPerEpoch }, s) =>
      Array.from({ length: epochs }, (_, i) => {
        const seconds = stepsPerEpoch * (0.05 + 0.08 * s) + random() + (i === 0 ? 3 : 0);
        return {
          stage: id,
          epoch: i + 1,
          seconds,
          steps: stepsPerEpoch,
          waiting: seconds * (i === 0 ? 0.3 : 0.04 * random()),
        };
      }),
    ),
    results: Object.fromEntries([...outputs].map(([id, values]) => [id, measure(values, labels, SCENES)])),
    examples: await Promise.all(examples),
    augmentations: await augmentations(),
    experiment: { preset: 'paper', batchSize: 32, mixup: { share: 0.2, alpha: 0.4 }, stages: plan },
  };
}

function stepsOf({ id, epochs, stepsPerEpoch, lr }: StagePlan, random: Random): RunReport['steps'][number][] {
  const total = epochs * stepsPerEpoch;
  return Array.from({ length: total }, (_, i) => ({
    stage: id,
    epoch: Math.floor(i / stepsPerEpoch) + 1,
    step: (i % stepsPerEpoch) + 1,
    lr: (lr * (1 + Math.cos((Math.PI * i) / total))) / 2 + lr / 1e3,
    loss: (0.15 + 2.15 * Math.exp((-5 * i) / total)) * Math.exp(0.7 * (random() - 0.5)),
  }));
}

function probabilitiesOf(labels: Int32Array, skill: number, random: Random): Float64Array {
  const out = new Float64Array(labels.length * CLASSES);
  for (const [i, label] of labels.entries()) {
    const logits = SCENES.map((_, c) => {
      const noise = 4 * (random() + random() + random() - 1.5);
      // Some scenes look alike, and some classes are harder than others.
      const alike = c === (label + 3) % CLASSES ? 1.5 : 0;
      return noise + alike + (c === label ? skill - 0.15 * label : 0);
    });
    const weights = logits.map((logit) => Math.exp(logit));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [c, weight] of weights.entries()) out[i * CLASSES + c] = weight / sum;
  }
  return out;
}

function picture(scene: string, clip: number, time: number): Uint8Array {
  const rules = Object.entries(SCENE_RULES).find(([name]) => name === scene)?.[1] ?? SCENE_RULES.bus;
  const rgba = new Uint8Array(4 * SIZE * SIZE);
  makeCamera(rules.picture, 'lisbon', `clip-${clip}`, SIZE)(time, rgba);
  const planes = new Uint8Array(3 * SIZE * SIZE);
  for (let i = 0; i < SIZE * SIZE; i++) {
    for (let c = 0; c < 3; c++) planes[c * SIZE * SIZE + i] = rgba[4 * i + c] ?? 0;
  }
  return planes;
}

/** Values [128, 39] with a falling spectrum, some tones and a moving band. */
function spectrogram(seed: number): Float32Array {
  const random = randomStream('spectrogram', seed);
  const tones = [random() * 100, random() * 60, random() * 30];
  return Float32Array.from({ length: 128 * 39 }, (_, i) => {
    const [mel, frame] = [Math.floor(i / 39), i % 39];
    const tone = tones.reduce((sum, at) => sum + 2 * Math.exp(-((mel - at) ** 2) / 6), 0);
    return -mel / 24 + tone + 1.5 * Math.exp(-((mel - 30 - frame - seed) ** 2) / 40) + 0.8 * random();
  });
}

async function augmentations(): Promise<RunReport['augmentations'][number][]> {
  const pictures = [1, 2, 3].map((clip) => picture(SCENES[clip * 2] ?? 'bus', clip, 0));
  const sounds = [1, 2, 3].map(spectrogram);
  const contrast = (planes: Uint8Array): Uint8Array =>
    planes.map((v) => Math.min(255, Math.max(0, 128 + 1.72 * (v - 128))));
  const masked = (values: Float32Array): Float32Array =>
    values.map((v, i) => ((i % 39 > 20 && i % 39 < 24) || (i >= 39 * 40 && i < 39 * 50) ? 0 : v));
  return [
    {
      name: 'Contrast',
      what: 'RandAugment at magnitude 9: factor 1.72',
      before: await Promise.all(pictures.map((planes) => picturePng(planes, SIZE))),
      after: await Promise.all(pictures.map((planes) => picturePng(contrast(planes), SIZE))),
    },
    {
      name: 'SpecAugment',
      what: 'One mask of up to 12 bins and one of up to 3 frames',
      before: await Promise.all(sounds.map((values) => spectrogramPng(values, 39, 4))),
      after: await Promise.all(sounds.map((values) => spectrogramPng(masked(values), 39, 4))),
    },
  ];
}

/** Table 1 of the paper; accuracies are near the paper's at full scale and near chance at smoke scale. */
export function tableReport(scale: TableReport['scale']): TableReport {
  const rows: [string, number][] = [
    ['ResNet50 + ResNet18, no pre-training', 75.0],
    ['FCNN + ResNet18, no pre-training', 80.4],
    ['FCNN + ResNet18, Places365', 85.2],
    ['FCNN + ResNet50, Places365', 91.6],
    ['FCNN + ResNeSt50, Places365', 92.2],
    ['FCNN + DenseNet161, Places365', 92.5],
    ['… audio extractor fine-tuned', 93.1],
    ['… video extractor fine-tuned', 92.9],
    ['… both extractors fine-tuned', 93.2],
  ];
  const random = randomStream('table', 1);
  return {
    table: 'table1',
    title: 'Extractors and pre-training',
    what: 'Each row trains the audio net and the picture net by themselves, then both with the fusion MLP.',
    data: '/data/TAU-urban-audio-visual-scenes-2021-development',
    device: 'NVIDIA H100 (Vulkan)',
    scale,
    finished: '2026-11-25T06:12:00Z',
    rows: rows.map(([label, paper], i) => {
      const status =
        (['done', 'done', 'done', 'failed', 'done', 'done', 'quoted', 'waiting', 'done'] as const)[i] ??
        'done';
      const done = status === 'done';
      const accuracy = scale === 'smoke' ? 0.1 + 0.2 * random() : paper / 100 - 0.02 + 0.03 * random();
      return {
        id: `row-${i}`,
        label,
        paper,
        status,
        accuracy: done ? accuracy : null,
        accuracies: done ? [accuracy - 0.01, accuracy, accuracy + 0.01] : [],
        logLoss: done ? 0.2 + random() : null,
        seconds: done ? 600 + 9000 * random() : null,
        note: status === 'failed' ? 'The loss became NaN in epoch 2, step 14: train with a smaller --lr' : '',
        report: done ? `row-${i}/report.html` : null,
        published: i === 0 ? 'reconstructed' : i === 6 ? 'quoted' : i === 5 ? 'published' : null,
      };
    }),
  };
}
