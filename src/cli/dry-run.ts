// `train --dry-run`: what an experiment would do on a device, without data or device.

import { readSplit } from '../avsc/node/data/dataset.ts';
import { partnerRows } from '../avsc/augment/mixup.ts';
import type { Experiment } from '../avsc/experiment/experiment.ts';
import { makeRecipe } from '../avsc/experiment/recipe.ts';
import { inputPlan } from '../avsc/training/plan.ts';
import { CEILINGS, planStage, type StagePlan } from '../avsc/training/dry-run.ts';
import { PROFILES } from '../gpu/profile.ts';
import { print } from './output.ts';
import { say } from './say.ts';
import { formatTable } from './table.ts';

/** Of the development set: 8646 training clips of 10 s. */
const TAU_CLIPS = 8646;
const CLIP_SECONDS = 10;
/** Share of the ceilings that a step is taken to reach, for the estimate beside the floor. */
const REACHED = 0.4;

interface DryRun {
  readonly experiment: string;
  readonly device: string;
  readonly batch: number;
  readonly stages: readonly StagePlan[];
}

/** Plans every stage's training step. `data` tells the number of clips; without it the data set is TAU's development set. */
export async function dryRun(
  experiment: Experiment,
  profile: string,
  data: string | undefined,
): Promise<DryRun> {
  const geometry = PROFILES[profile as keyof typeof PROFILES];
  const clips = data === undefined ? TAU_CLIPS : (await readSplit(data, 'train')).length;
  const recipe = makeRecipe(experiment, {}, clips);
  const kept = Math.round(clips * (1 - recipe.validation));
  const stages = experiment.stages.map((stage) => {
    const { extraClips, mixup } = stage.augmentation;
    const copies = Object.values(extraClips ?? {}).reduce((sum, count) => sum + count, 1);
    const samples = kept * copies * CLIP_SECONDS;
    const perEpoch = Math.floor(samples / experiment.batchSize);
    return planStage(experiment, stage, {
      target: { name: profile, geometry },
      ceilings: CEILINGS[profile],
      inputs: inputPlan(recipe, stage, 'training'),
      steps: stage.epochs * Math.min(perEpoch, experiment.limits.stepsPerEpoch ?? Infinity),
      partnerRows: mixup === null ? 0 : partnerRows(experiment.batchSize, mixup.share),
    });
  });
  return { experiment: experiment.name, device: profile, batch: experiment.batchSize, stages };
}

export async function printDryRun({ experiment, device, batch, stages }: DryRun): Promise<void> {
  const ceilings = CEILINGS[device];
  say(
    `${experiment}, batch ${batch}, planned for ${device}${ceilings ? ` (${ceilings.gflops / 1000} TFLOP/s, ${ceilings.gBps} GB/s: ${ceilings.source})` : ''}`,
  );
  const titles = [
    'stage',
    'steps',
    'parameters',
    'trained',
    'dispatches',
    'GFLOP',
    'GB moved',
    'GB held',
    'ms a step, at least',
    `hours, at least`,
    `at ${100 * REACHED} %`,
  ];
  const rows = stages.map(({ stage, steps, parameters, trained, plan, floorMilliseconds }) => {
    const hours = floorMilliseconds === null ? null : (floorMilliseconds * steps) / 3.6e6;
    return [
      stage,
      steps.toLocaleString('en'),
      parameters.toLocaleString('en'),
      trained.toLocaleString('en'),
      plan.dispatches.toLocaleString('en'),
      (plan.flops / 1e9).toFixed(1),
      (plan.bytesMoved / 1e9).toFixed(1),
      ((plan.persistentBytes + plan.arenaBytes) / 1e9).toFixed(2),
      floorMilliseconds?.toFixed(1) ?? '-',
      hours?.toFixed(1) ?? '-',
      hours === null ? '-' : (hours / REACHED).toFixed(1),
    ];
  });
  await print(formatTable([titles, ...rows], titles.map((_, i) => i).slice(1)));
}
