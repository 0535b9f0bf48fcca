import { basename, dirname, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { resultStages, type StageSpec } from '../avsc/experiment/experiment.ts';
import { measurePredictions, productOf, type Predictions } from '../avsc/node/runs/evaluate.ts';
import { predictStage } from '../avsc/node/runs/measure.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import { newestRun } from '../avsc/node/runs/folder.ts';
import { submissionTable } from '../avsc/node/runs/submission.ts';
import { modelsOfRun, openTrained, type TrainedModels } from '../avsc/node/runs/trained.ts';
import type { Metrics } from '../avsc/training/metrics.ts';
import { findStage, inputNames } from '../avsc/training/model.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkOutput, writeFileAtomic } from '../node/files.ts';
import { openDevice } from './device.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, deviceOption, UsageError } from './options.ts';
import { print } from './output.ts';
import { clipCache, decode } from './prepare.ts';
import { showEmbedding, showProgress } from './progress.ts';
import { say } from './say.ts';

interface EvalOptions {
  readonly data?: string;
  readonly split: 'evaluate' | 'test';
  readonly model?: string;
  readonly submission?: string;
  readonly cache?: string;
  readonly device: AdapterChoice;
  readonly json?: true;
}

/** `eval RUN`: metrics and submission file of a trained model on a split. */
export function evalCommand(): Command {
  return new Command('eval')
    .description('a trained model on a data set: metrics, confusion, submission file')
    .argument('[run]', "the run's folder, or a safetensors file of models (default: the newest under runs/)")
    .addOption(dataOption().default(undefined, "the run's own"))
    .addOption(
      new Option('--split <name>', 'split of the data set; test may lack labels')
        .choices(['evaluate', 'test'])
        .default('evaluate'),
    )
    .option('--model <name>', "stage whose model is evaluated (default: the run's result)")
    .option(
      '--submission <path>',
      'submission file to write (default: submission-SPLIT.tsv in the run, or FILE-submission-SPLIT.tsv beside a file)',
    )
    .addOption(cacheOption())
    .addOption(deviceOption())
    .option('--json', 'print the metrics as JSON')
    .action(async (run: string | undefined, options: EvalOptions) => {
      await withInterrupt((signal) => evaluate(run, options, signal));
    });
}

async function evaluate(run: string | undefined, options: EvalOptions, signal: AbortSignal): Promise<void> {
  const trained = run === undefined ? modelsOfRun(await newestRun()) : await openTrained(run);
  if (run === undefined) say(`run: ${trained.path}`);
  const { experiment } = trained;
  const stages = chosenStages(trained, options.model);
  const submission = options.submission ?? submissionPath(trained, options.split);
  await checkOutput(submission);
  const cache = await clipCache(options.cache);
  const data = dataOf(trained, options.data);
  const { splits } = await decode(data, [options.split], {
    inputs: inputNames(experiment),
    size: experiment.imageSize,
    scenes: experiment.scenes,
    cache,
    signal,
  });
  const clips: readonly PreparedClip[] = splits[0] ?? [];
  const device = await openDevice(options.device);
  const onEmbedding = showEmbedding();
  const each: Predictions[] = [];
  for (const stage of stages) {
    const progress = showProgress(`evaluating ${stage.id}`, sampleCount(clips), 'samples');
    const onPredicted = (done: number): void => progress.update(done);
    each.push(await predictStage({ device, trained, cache, signal, onEmbedding, onPredicted }, stage, clips));
    progress.end();
  }
  const predictions = productOf(each);
  await writeFileAtomic(submission, submissionTable(predictions));
  const labelled = clips.every(({ label }) => label !== undefined);
  const metrics = labelled ? measurePredictions(predictions) : null;
  if (options.json) {
    await print(
      JSON.stringify({
        run: trained.path,
        data,
        split: options.split,
        model: stages.map(({ id }) => id).join(' x '),
        submission,
        metrics,
      }),
    );
    return;
  }
  const measured =
    metrics === null
      ? `${predictions.samples.length} samples predicted; the split has no labels to measure with`
      : formatMetrics(metrics);
  await print(`${measured}\nsubmission file: ${submission}`);
}

/** The stages that are evaluated: one by its name, or those of the result of the experiment. */
function chosenStages({ path, experiment, models }: TrainedModels, named: string | undefined): StageSpec[] {
  if (named !== undefined) findStage(experiment, named);
  const wanted = named === undefined ? resultStages(experiment) : [named];
  const missing = wanted.find((id) => !models.includes(id));
  if (missing === undefined) return wanted.map((id) => findStage(experiment, id));
  throw new UsageError(`${path} has no model ${missing}: name one of ${models.join(', ')} with --model`);
}

function submissionPath({ path, folder }: TrainedModels, split: string): string {
  if (folder !== null) return join(path, `submission-${split}.tsv`);
  return join(dirname(path), `${basename(path).replace(/\.[^.]*$/, '')}-submission-${split}.tsv`);
}

function dataOf({ path, folder }: TrainedModels, named: string | undefined): string {
  if (named !== undefined) return resolve(named);
  if (folder !== null) return folder.config.data;
  throw new UsageError(`${path} is a file of models, which knows no data set: name one with --data`);
}

const sampleCount = (clips: readonly PreparedClip[]): number =>
  clips.reduce((sum, { seconds }) => sum + seconds, 0);

function formatMetrics({ accuracy, logLoss, classes, confusion, count }: Metrics): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const width = Math.max('scene'.length, ...classes.map(({ name }) => name.length));
  const rows = classes.map(({ name, accuracy: part, logLoss: loss }, c) => {
    const row = confusion[c] ?? [];
    const counts = row.flatMap((n, p) => (n > 0 ? [`${classes[p]?.name} ${n}`] : [])).join(', ');
    const cells = [part === null ? '-' : percent(part), loss === null ? '-' : loss.toFixed(4)];
    return `${name.padEnd(width)}  ${(cells[0] ?? '').padStart(8)}  ${(cells[1] ?? '').padStart(8)}  ${counts}`;
  });
  return [
    `accuracy ${percent(accuracy.macro)} (mean of classes), ${percent(accuracy.overall)} (overall); log loss ${logLoss.toFixed(4)}; ${count} samples`,
    `${'scene'.padEnd(width)}  accuracy  log loss  recognised as`,
    ...rows,
  ].join('\n');
}
