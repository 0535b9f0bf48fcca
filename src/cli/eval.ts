import { dirname, join, resolve } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { SCENES } from '../avsc/dataset/scenes.ts';
import { measurePredictions, predictAll } from '../avsc/node/runs/evaluate.ts';
import { loadModel } from '../avsc/node/runs/load.ts';
import { createLoader } from '../avsc/node/data/loader.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import { newestRun, openRun } from '../avsc/node/runs/folder.ts';
import { stageSources } from '../avsc/node/runs/stage-sources.ts';
import { submissionTable } from '../avsc/node/runs/submission.ts';
import type { Metrics } from '../avsc/training/metrics.ts';
import { pictureInput } from '../avsc/training/model.ts';
import { extractorNames } from '../avsc/training/recipe.ts';
import { STAGES, type Stage } from '../avsc/training/records.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { writeFileAtomic } from '../node/files.ts';
import { openDevice } from './device.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, deviceOption } from './options.ts';
import { clipCache, decode } from './prepare.ts';
import { say, showEmbedding, showProgress } from './progress.ts';

interface EvalOptions {
  readonly data?: string;
  readonly split: 'evaluate' | 'test';
  readonly model: Stage;
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
    .addOption(new Option('--model <name>', 'model to evaluate').choices([...STAGES]).default('joint'))
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
  const picture = pictureInput(recipe.preset, extractorNames(recipe));
  const cache = await clipCache(options.cache);
  const data = options.data === undefined ? folder.config.data : resolve(options.data);
  const { splits } = await decode(data, [options.split], {
    size: picture.size,
    cache,
    signal,
  });
  const clips: readonly PreparedClip[] = splits[0] ?? [];
  const device = await openDevice(options.device);
  const model = await loadModel(folder, options.model, device);
  const sources = await stageSources(model, clips, {
    device,
    folder,
    cache,
    signal,
    onEmbedding: showEmbedding(),
  });
  const loader = await createLoader(clips, { batchSize: recipe.batchSize, sources, picture });
  const progress = showProgress('evaluating', loader.sampleCount, 'samples');
  const predictions = await predictAll(device, model, loader, {
    onProgress: (done) => progress.update(done),
    signal,
  });
  progress.end();
  const submission = options.submission ?? join(folder.path, `submission-${options.split}.tsv`);
  await mkdir(dirname(submission), { recursive: true });
  await writeFileAtomic(submission, submissionTable(predictions));
  const labelled = clips.every(({ label }) => label !== undefined);
  const metrics = labelled ? measurePredictions(predictions) : null;
  if (options.json) {
    console.log(
      JSON.stringify({
        run: folder.path,
        data,
        split: options.split,
        model: options.model,
        submission,
        metrics,
      }),
    );
    return;
  }
  if (metrics === null)
    console.log(`${predictions.samples.length} samples predicted; the split has no labels to measure with`);
  else printMetrics(metrics);
  console.log(`submission file: ${submission}`);
}

function printMetrics({ accuracy, logLoss, classes, confusion, count }: Metrics): void {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  console.log(
    `accuracy ${percent(accuracy.macro)} (mean of classes), ${percent(accuracy.overall)} (overall); log loss ${logLoss.toFixed(4)}; ${count} samples`,
  );
  const width = Math.max(...SCENES.map(({ length }) => length));
  console.log(`${'scene'.padEnd(width)}  accuracy  log loss  recognised as`);
  classes.forEach(({ name, accuracy: part, logLoss: loss }, c) => {
    const row = confusion[c] ?? [];
    const counts = row.flatMap((n, p) => (n > 0 ? [`${SCENES[p]} ${n}`] : [])).join(', ');
    const cells = [part === null ? '-' : percent(part), loss === null ? '-' : loss.toFixed(4)];
    console.log(
      `${name.padEnd(width)}  ${(cells[0] ?? '').padStart(8)}  ${(cells[1] ?? '').padStart(8)}  ${counts}`,
    );
  });
}
