// An experiment as JSON, which `readExperiment` reads back.

import type { Augmentation } from './augmentation.ts';
import type { Experiment, StageSpec } from './experiment.ts';

/** A JSON value of the experiment in full: every default is written out. */
export function writeExperiment(experiment: Experiment): object {
  return { ...experiment, stages: experiment.stages.map(writeStage) };
}

function writeStage({ model, augmentation, ...stage }: StageSpec): object {
  const { kind: _, ...nets } = model;
  const { id, ...rest } = stage;
  return { id, ...nets, ...rest, augment: writeAugmentation(augmentation) };
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
