import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { SCENES } from '../avsc/dataset/scenes.ts';
import { resultStages } from '../avsc/experiment/experiment.ts';
import { measurePredictions, productOf, type Predictions } from '../avsc/node/runs/evaluate.ts';
import { predictStage } from '../avsc/node/runs/measure.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import { newestRun, openRun } from '../avsc/node/runs/folder.ts';
import { submissionTable } from '../avsc/node/runs/submission.ts';
import type { Metrics } from '../avsc/training/metrics.ts';
import { findStage, inputNames } from '../avsc/training/model.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkOutput, writeFileAtomic } from '../node/files.ts';
import { openDevice } from './device.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, deviceOption } from './options.ts';
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
    .description("a run's model on a data set: metrics, confusion, submission file")
    .argument('[run]', "the run's folder (default: the newest under runs/)")
    .addOption(dataOption().default(undefined, "the run's own"))
    .addOption(
      new Option('--split <name>', 'split of the data set; test may lack labels')
        .choices(['evaluate', 'test'])
        .default('evaluate'),
    )
    .option('--model <name>', "stage whose model is evaluated (default: the run's result)")
    .option('--submission <path>', 'submission file to write (default: submission-SPLIT.tsv in the run)')
    .addOption(cacheOption())
    .addOption(deviceOption())
    .option('--json', 'print the metrics as JSON')
    .action(async (run: string | undefined, options: EvalOptions) => {
      await withInterrupt((signal) => evaluate(run, options, signal));
    });
}

async function evaluate(run: string | undefined, options: EvalOptions, signal: AbortSignal): Promise<void> {
  const folder = run === undefined ? await newestRun() : await openRun(run);
  if (run === undefined) say(`run: ${folder.path}`);
  const { recipe } = folder.config;
  const stages = (options.model === undefined ? resultStages(recipe) : [options.model]).map((id) =>
    findStage(recipe, id),
  );
  const submission = options.submission ?? join(folder.path, `submission-${options.split}.tsv`);
  await checkOutput(submission);
  const cache = await clipCache(options.cache);
  const data = options.data === undefined ? folder.config.data : resolve(options.data);
  const { splits } = await decode(data, [options.split], {
    inputs: inputNames(recipe),
    size: recipe.imageSize,
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
    each.push(await predictStage({ device, folder, cache, signal, onEmbedding, onPredicted }, stage, clips));
    progress.end();
  }
  const predictions = productOf(each);
  await writeFileAtomic(submission, submissionTable(predictions));
  const labelled = clips.every(({ label }) => label !== undefined);
  const metrics = labelled ? measurePredictions(predictions) : null;
  if (options.json) {
    await print(
      JSON.stringify({
        run: folder.path,
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

const sampleCount = (clips: readonly PreparedClip[]): number =>
  clips.reduce((sum, { seconds }) => sum + seconds, 0);

function formatMetrics({ accuracy, logLoss, classes, confusion, count }: Metrics): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const width = Math.max(...SCENES.map(({ length }) => length));
  const rows = classes.map(({ name, accuracy: part, logLoss: loss }, c) => {
    const row = confusion[c] ?? [];
    const counts = row.flatMap((n, p) => (n > 0 ? [`${SCENES[p]} ${n}`] : [])).join(', ');
    const cells = [part === null ? '-' : percent(part), loss === null ? '-' : loss.toFixed(4)];
    return `${name.padEnd(width)}  ${(cells[0] ?? '').padStart(8)}  ${(cells[1] ?? '').padStart(8)}  ${counts}`;
  });
  return [
    `accuracy ${percent(accuracy.macro)} (mean of classes), ${percent(accuracy.overall)} (overall); log loss ${logLoss.toFixed(4)}; ${count} samples`,
    `${'scene'.padEnd(width)}  accuracy  log loss  recognised as`,
    ...rows,
  ].join('\n');
}
