// An experiment as JSON, which `readExperiment` reads back.

import type { Augmentation } from './augmentation.ts';
import type { Experiment, StageSpec } from './experiment.ts';
import { areDefaultScenes } from './scenes.ts';

/**
 * A JSON value of the experiment in full: every default is written out, but for the precision and the scenes, which older files do not have. Fields that are not an
 * experiment's are left out.
 */
export function writeExperiment(experiment: Experiment): object {
  const {
    name,
    description,
    seed,
    batchSize,
    imageSize,
    precision,
    scenes,
    validation,
    nets,
    stages,
    result,
    limits,
    given,
  } = experiment;
  const written = stages.map(writeStage);
  return {
    ...{
      name,
      description,
      seed,
      batchSize,
      imageSize,
      ...(precision === 'f32' ? {} : { precision }),
      ...(areDefaultScenes(scenes) ? {} : { scenes }),
      validation,
      nets,
    },
    ...{ stages: written, result, limits, given },
  };
}

/** A JSON value of one stage. */
export function writeStage({ id, model, augmentation, ...phase }: StageSpec): object {
  const nets =
    model.kind === 'single'
      ? { net: model.net, head: model.head }
      : { audio: model.audio, video: model.video, fusion: model.fusion };
  return { id, ...nets, ...phase, augment: writeAugmentation(augmentation) };
}

function writeAugmentation({ extraClips, features, pictures, mixup }: Augmentation): object | null {
  if (extraClips === null && features === null && pictures === null && mixup === null) return null;
  return {
    extraClips,
    specAugment: features?.specAugment?.mask ?? null,
    channelConfusion: features?.channelConfusion ?? 0,
    pictures,
    mixup: mixup && {
      share: mixup.share,
      ...('alpha' in mixup.ratio ? { alpha: mixup.ratio.alpha } : { ratio: mixup.ratio.fixed }),
      on: mixup.on,
    },
  };
}
