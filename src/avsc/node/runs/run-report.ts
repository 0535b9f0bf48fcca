// report.html of a run: what its files say, examples of its predictions, and what its augmentation does.

import { readFile } from 'node:fs/promises';
import { netsOf, resultKey, type Experiment, type StageSpec } from '../../experiment/experiment.ts';
import { writeExperiment } from '../../experiment/write.ts';
import { netOf } from '../../training/model.ts';

import type { EpochRecord, RunResults, StepRecord } from '../../training/records.ts';
import type { PreparedClip } from '../data/prepare.ts';
import type { EpochTiming, RunReport } from '../report/data.ts';
import { renderRunReport } from '../report/run.ts';
import { showAugmentations } from './augmentation-examples.ts';
import type { Predictions } from './evaluate.ts';
import { showExamples } from './examples.ts';
import { readRecords, runFiles, type RunFolder } from './folder.ts';

interface ReportOptions {
  readonly folder: RunFolder;
  readonly device: string;
  /** Training clips, of which the first shows what augmentation does. */
  readonly clips: readonly PreparedClip[];
  readonly results: RunResults;
  /** Predictions of the result. */
  readonly predictions: Predictions;
}

/** The page as text. */
export async function runReport({
  folder,
  device,
  clips,
  results,
  predictions,
}: ReportOptions): Promise<string> {
  const { recipe, data } = folder.config;
  const records = await readRecords(folder.path);
  const timings = await readTimings(folder);
  const report: RunReport = {
    title: `${recipe.name}: ${folder.path}`,
    description: recipe.description,
    data,
    device,
    finished: new Date().toISOString(),
    stages: recipe.stages.map((stage) => ({
      id: stage.id,
      what: describeStage(recipe, stage),
      parameters: sizeOf(timings, stage.id, 'parameters'),
      trained: sizeOf(timings, stage.id, 'trained'),
    })),
    final: resultKey(recipe),
    scenes: recipe.scenes,
    steps: records.filter((record): record is StepRecord => record.kind === 'step'),
    epochs: records.filter((record): record is EpochRecord => record.kind === 'epoch'),
    timings: timings.flatMap((line) => ('waiting' in line ? [line as unknown as EpochTiming] : [])),
    results,
    examples: await showExamples(recipe, predictions),
    augmentations: await showAugmentations(recipe, clips),
    experiment: writeExperiment(recipe),
  };
  return renderRunReport(report);
}

const AUGMENTATIONS = [
  ['extraClips', 'extra clips'],
  ['features', 'SpecAugment and channel confusion'],
  ['pictures', 'RandAugment'],
  ['mixup', 'mixup'],
] as const;

function describeStage(experiment: Experiment, { model, freeze, augmentation }: StageSpec): string {
  const nets = netsOf(model).map((net) => netOf(experiment, net).architecture);
  const top = model.kind === 'single' ? `${model.head} head` : `${model.fusion} fusion`;
  const frozen = freeze.length > 0 ? `, ${freeze.join(' and ')} frozen` : '';
  const used = AUGMENTATIONS.flatMap(([name, title]) => (augmentation[name] === null ? [] : [title]));
  return `${nets.join(' and ')}, ${top}${frozen}${used.length > 0 ? `; augmentation: ${used.join(', ')}` : ''}`;
}

type Line = Readonly<Record<string, unknown>>;

async function readTimings({ path }: RunFolder): Promise<readonly Line[]> {
  const text = await readFile(runFiles(path).timings, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

function sizeOf(timings: readonly Line[], stage: string, field: 'parameters' | 'trained'): number {
  const found = timings.findLast((line) => line['stage'] === stage && field in line)?.[field];
  return typeof found === 'number' ? found : 0;
}
