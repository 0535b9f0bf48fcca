// The experiment that a taught model is of: one stage, frozen extractors, scenes of one's own.

import type { Augmentation } from '../../experiment/augmentation.ts';
import type { Experiment, StageModel } from '../../experiment/experiment.ts';
import { netOf } from '../../training/model.ts';
import { augmentationOf, type TeachingPart } from './embedder.ts';

interface TaughtBy {
  readonly seed: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly mixup: boolean;
  readonly augmentation: boolean;
}

/** The paper's joint mixup, of embeddings. */
export const TEACH_MIXUP = { share: 0.2, ratio: { alpha: 0.4 }, on: 'embeddings' } as const;

/** `seconds` are those that are learned. */
export function taughtExperiment(
  loaded: Experiment,
  parts: readonly TeachingPart[],
  scenes: readonly string[],
  seconds: number,
  by: TaughtBy,
): Experiment {
  const [first, second] = parts;
  if (first === undefined) throw new RangeError('a taught model needs an extractor');
  const model: StageModel =
    second === undefined
      ? { kind: 'single', net: first.net, head: 'linear' }
      : { kind: 'joint', audio: first.net, video: second.net, fusion: 'mlp' };
  const inputs = by.augmentation ? parts.map(({ input }) => augmentationOf(input)) : [];
  const augmentation: Augmentation = {
    extraClips: null,
    features: inputs.find(({ features }) => features !== null)?.features ?? null,
    pictures: inputs.find(({ pictures }) => pictures !== null)?.pictures ?? null,
    mixup: by.mixup ? TEACH_MIXUP : null,
  };
  return {
    name: 'taught',
    description: `Places of one's own, learned by a new head on the frozen extractors of ${loaded.name}: ${by.steps} steps on ${seconds} seconds.`,
    seed: by.seed,
    batchSize: by.batchSize,
    imageSize: loaded.imageSize,
    precision: 'f32',
    scenes,
    validation: null,
    nets: Object.fromEntries(
      parts.map(({ net }) => [net, { ...netOf(loaded, net), weights: null, standardize: true }]),
    ),
    stages: [
      {
        id: second === undefined ? first.part : 'joint',
        model,
        epochs: Math.max(1, Math.ceil((by.steps * by.batchSize) / seconds)),
        optimizer: { kind: 'adam', learningRate: by.learningRate, weightDecay: 0 },
        schedule: 'constant',
        freeze: parts.map(({ part }) => part),
        augmentation,
      },
    ],
    result: second === undefined ? first.part : 'joint',
    limits: { stepsPerEpoch: null, evaluationSamples: null },
    given: null,
  };
}
