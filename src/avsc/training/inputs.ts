// How a batch comes to the model of a stage: what the host uploads, and what the recorded step makes of it.

import { randomStream } from '../dataset/random.ts';
import type { Augmentation } from '../experiment/augmentation.ts';
import { augmentFeatures } from '../augment/features/augment.ts';
import { mixRows, type RowMix } from '../augment/features/mix.ts';
import { drawFeatureRow } from '../augment/features/policy.ts';
import { packPictures } from '../augment/pictures/pack.ts';
import { drawProgram } from '../augment/pictures/policy.ts';
import { prepareFrames } from '../augment/pictures/prepare.ts';
import { FEATURE_WORDS } from '../../kernels/features.ts';
import { INSTRUCTION_WORDS } from '../../kernels/pictures.ts';
import { SOUND_INPUTS, type InputName, type SoundInputName } from '../features/inputs.ts';
import type { PictureInput } from '../features/pictures.ts';
import type { Modality } from '../models/joint.ts';
import type { StepInput } from '../../tensor/trace.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { ModelInputs } from './model.ts';

/** Frames of each sample. */
const FRAMES = 2;

/** R samples: features, waveforms or frames as their nets want them, or embeddings by frozen extractors. */
export interface SampleData {
  /** Sound inputs [R, ...] by name, and RGB bytes [R, 2, 3, S, S]. */
  readonly inputs: Readonly<Partial<Record<SoundInputName, Float32Array<ArrayBuffer>>>> & {
    readonly frames?: Uint8Array<ArrayBuffer>;
  };
  /** Embeddings [R, outFeatures], which replace the modality's input. */
  readonly embeddings?: Readonly<Partial<Record<Modality, Float32Array<ArrayBuffer>>>>;
}

/** A batch to train on: B samples, then rows that they are mixed with. */
export interface TrainingData extends SampleData {
  readonly epoch: number;
  /** Soft labels [B, classes], mixed already. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** Key of each row's draws; null for a row that is not used. */
  readonly keys: readonly (number | null)[];
  /** Row that each of the B samples is mixed with, and its own share; null if nothing is mixed. */
  readonly mix: {
    readonly partner: Int32Array<ArrayBuffer>;
    readonly ratio: Float32Array<ArrayBuffer>;
  } | null;
}

/** One input of a stage's model. */
export interface PartInput {
  readonly part: Modality;
  /** Embeddings come from a frozen extractor. */
  readonly from: InputName | 'embeddings';
}

export interface InputPlan {
  readonly parts: readonly PartInput[];
  /** Preprocessing of frames. */
  readonly picture: PictureInput;
  /** Null for evaluation. */
  readonly augmentation: Augmentation | null;
  /** Seed of the augmentation's draws. */
  readonly seed: number;
}

/** What of the augmentation applies to one part. */
const featuresOf = ({ augmentation }: InputPlan, { from }: PartInput) =>
  from === 'logmel' ? (augmentation?.features ?? null) : null;
const picturesOf = ({ augmentation }: InputPlan, { from }: PartInput) =>
  from === 'frames' ? (augmentation?.pictures ?? null) : null;

/** Inputs of the recorded step for `rows` rows, in the order in which `receive` takes them. */
export function feed(plan: InputPlan, data: SampleData, rows: number): StepInput[] {
  return plan.parts.map((input) => dataOf(input, data, rows, plan));
}

/** The same for a training step: each part with the table of its draws, then the pairs that are mixed, then the labels. */
export function feedTraining(plan: InputPlan, data: TrainingData, count: number): StepInput[] {
  const parts = feedInputs(plan, data);
  const mix = data.mix && [
    { data: data.mix.partner, shape: [count] },
    { data: data.mix.ratio, shape: [count] },
  ];
  return [...parts, ...(mix ?? []), { data: data.labels, shape: [count, data.labels.length / count] }];
}

/** Each part with the table of its draws, as `receive` takes them. */
export function feedInputs(
  plan: InputPlan,
  data: SampleData & Pick<TrainingData, 'epoch' | 'keys'>,
): StepInput[] {
  return plan.parts.flatMap((input) => {
    const table = drawTable(plan, input, data);
    const values = dataOf(input, data, data.keys.length, plan);
    return table === null ? [values] : [values, table];
  });
}

function dataOf(
  { part, from }: PartInput,
  data: SampleData,
  rows: number,
  { picture }: InputPlan,
): StepInput {
  if (from === 'embeddings') {
    const embeddings = given(data.embeddings?.[part], `embeddings of ${part}`);
    return { data: embeddings, shape: [rows, embeddings.length / rows] };
  }
  if (from === 'frames') {
    const words = packPictures(given(data.inputs.frames, from), picture.size);
    return { data: words, shape: [rows, FRAMES, words.length / (rows * FRAMES)] };
  }
  return { data: given(data.inputs[from], from), shape: [rows, ...SOUND_INPUTS[from]] };
}

function given<T>(data: T | undefined, what: string): T {
  if (data === undefined) throw new RangeError(`the batch has no ${what}`);
  return data;
}

/** Draws of all rows for one part; null if nothing is drawn. An unused row's are zeros, which change nothing. */
function drawTable(
  plan: InputPlan,
  input: PartInput,
  { keys, epoch }: Pick<TrainingData, 'keys' | 'epoch'>,
): StepInput | null {
  const features = featuresOf(plan, input);
  if (features !== null) {
    const shape = SOUND_INPUTS.logmel;
    const [channels] = shape;
    const table = new Int32Array(keys.length * channels * FEATURE_WORDS);
    keys.forEach((key, row) => {
      if (key === null) return;
      const random = randomStream(plan.seed, epoch, key, 'features');
      table.set(drawFeatureRow(features, shape, random), row * channels * FEATURE_WORDS);
    });
    return { data: table, shape: [keys.length, channels, FEATURE_WORDS] };
  }
  const pictures = picturesOf(plan, input);
  if (pictures === null) return null;
  const words = pictures.count * INSTRUCTION_WORDS;
  const programs = new Int32Array(keys.length * FRAMES * words);
  keys.forEach((key, row) => {
    if (key === null) return;
    const random = randomStream(plan.seed, epoch, key, 'pictures');
    for (let frame = 0; frame < FRAMES; frame++)
      programs.set(drawProgram(pictures, plan.picture.size, random), (row * FRAMES + frame) * words);
  });
  return { data: programs, shape: [keys.length, FRAMES, pictures.count, INSTRUCTION_WORDS] };
}

interface Received {
  readonly inputs: ModelInputs;
  /** Mixes embeddings; undefined if they are not to be mixed. */
  readonly mix: ((embedding: Tensor) => Tensor) | undefined;
  /** Inputs that were not taken: a training step's labels. */
  readonly rest: readonly Tensor[];
}

/** Within the recorded step: the model's inputs, augmented, normalized and mixed on the device. */
export function receive(plan: InputPlan, tensors: readonly Tensor[]): Received {
  const queue = [...tensors];
  const take = (): Tensor => given(queue.shift(), 'further input');
  const taken = plan.parts.map((input) => ({
    input,
    values: take(),
    table: featuresOf(plan, input) !== null || picturesOf(plan, input) !== null ? take() : null,
  }));
  const mixup = plan.augmentation?.mixup ?? null;
  const rows: RowMix | null = mixup === null ? null : { partner: take(), ratio: take() };
  const onInputs = mixup?.on === 'inputs' ? rows : null;
  const made = taken.map(({ input, values, table }): [Modality, Tensor] => {
    switch (input.from) {
      case 'frames':
        return [input.part, prepareFrames(values, table, onInputs, plan.picture)];
      case 'logmel':
        return [
          input.part,
          table === null ? mixed(values, onInputs) : augmentFeatures(values, table, onInputs),
        ];
      case 'waveform':
      case 'openl3':
      case 'embeddings':
        return [input.part, mixed(values, onInputs)];
    }
  });
  return {
    inputs: Object.fromEntries(made),
    mix: rows !== null && onInputs === null ? (embedding) => mixRows(embedding, rows) : undefined,
    rest: queue,
  };
}

const mixed = (values: Tensor, rows: RowMix | null): Tensor =>
  rows === null ? values : mixRows(values, rows);
