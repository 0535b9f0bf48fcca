// The two experiments that `train` knows by name.

import paper from '../../../experiments/paper.json' with { type: 'json' };
import small from '../../../experiments/small.json' with { type: 'json' };
import { constant, cosine, cosineWarmRestarts, type Schedule } from '../../nn/schedule.ts';
import type { Experiment, Phase } from './experiment.ts';
import { readExperiment } from './read.ts';

const FILES = { paper, small } as const;

/**
 * Experiments that come with the package.
 * @useDeclaredType
 */
export type PresetName = keyof typeof FILES;

export const PRESET_NAMES = Object.keys(FILES) as readonly PresetName[];

export const preset = (name: PresetName): Experiment => readExperiment(FILES[name]);

/** Learning rate of a stage over time in epochs. */
export function scheduleOf({ epochs, optimizer: { learningRate }, schedule }: Phase): Schedule {
  switch (schedule) {
    case 'constant':
      return constant(learningRate);
    case 'cosine':
      return cosine(learningRate, { length: epochs });
    case 'warmRestarts':
      return cosineWarmRestarts(learningRate);
  }
}
