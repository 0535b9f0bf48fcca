import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { splitByLocation } from '../avsc/dataset/validation.ts';
import { makeDemoDataset } from '../avsc/node/demo.ts';
import type { PreparedClip } from '../avsc/node/prepare.ts';
import {
  createRun,
  exists,
  freeRunPath,
  newestUnfinishedRun,
  openRun,
  runFiles,
  type RunFolder,
} from '../avsc/node/run-folder.ts';
import { runTraining, type TrainingData, type TrainingEvents } from '../avsc/node/train-run.ts';
import { FREEZES, makeRecipe, type Recipe, type RecipeOptions } from '../avsc/training/recipe.ts';
import { STAGES, type RunResults } from '../avsc/training/records.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { openDevice } from './device.ts';
import { Interrupted, withInterrupt } from './interrupt.ts';
import {
  cacheOption,
  dataOption,
  deviceOption,
  numeric,
  presetOption,
  UsageError,
  whole,
} from './options.ts';
import { clipCache, decode } from './prepare.ts';
import { say, showProgress, type Progress } from './progress.ts';

interface TrainOptions extends Omit<RecipeOptions, 'batchSize'> {
  readonly data?: string;
  readonly batch?: number;
  readonly lrUnimodal?: number;
  readonly device: AdapterChoice;
  readonly cache?: string;
  readonly out?: string;
  readonly resume?: true;
  readonly saveEvery: number;
  readonly json?: true;
}

/** `train`: the whole way from clips to a report; with nothing, on a data set that it makes. */
export function trainCommand(): Command {
  return new Command('train')
    .description(
      'train sound alone, pictures alone, then both together, and evaluate all three; without --data on a small made data set',
    )
    .addOption(dataOption())
    .addOption(presetOption('small'))
    .option('--epochs <n>', "epochs of each of the three stages (default: the preset's)", whole(1))
    .option('--batch <n>', "samples of a step (default: the preset's)", whole(2, 65536))
    .option('--lr <rate>', 'learning rate of the joint stage', numeric(0))
    .option('--lr-unimodal <rate>', 'learning rate of the audio and the video stage', numeric(0))
    .addOption(
      new Option('--freeze <part>', 'extractors that the joint stage leaves as they are').choices([
        ...FREEZES,
      ]),
    )
    .option(
      '--validation <part>',
      'part of the locations held out and measured each epoch',
      numeric(0, 1, true),
    )
    .option('--seed <n>', 'decides initial weights, order and dropout (default: 1)', whole(0, 2 ** 32 - 1))
    .addOption(deviceOption())
    .addOption(cacheOption())
    .option('--out <dir>', 'folder of the run (default: a new one under runs/)')
    .option('--resume', 'go on with the run in --out, or with the newest unfinished one')
    .option(
      '--save-every <steps>',
      'steps between two checkpoints; there is one after each epoch anyway',
      whole(1),
      200,
    )
    .option('--json', 'print the results as JSON')
    .action(async (options: TrainOptions, command: Command) => {
      await withInterrupt((signal) => train(options, command, signal));
    });
}

async function train(options: TrainOptions, command: Command, signal: AbortSignal): Promise<void> {
  const resumed = options.resume ? await findRun(options.out) : undefined;
  if (resumed) assertSameRecipe(resumed, options, command);
  // Before minutes of decoding, not after.
  if (!resumed && options.out !== undefined && (await exists(runFiles(options.out).config))) {
    throw new Error(
      `${options.out} already holds a run: choose another --out, or go on with that one by --resume`,
    );
  }
  const preset = resumed?.config.recipe.preset ?? options.preset;
  const cache = await clipCache(options.cache);
  const root = resumed?.config.data ?? (await dataFolder(options, cache, signal));
  const { splits } = await decode(root, ['train', 'evaluate'], { preset, cache, signal });
  const [listed = [], evaluate = []] = splits;
  const folder = resumed ?? (await startRun(options, root, listed.length));
  const data = { ...holdOut(listed, folder.config.recipe), evaluate };
  say(`${resumed ? 'resuming' : 'run folder'}: ${folder.path}`);
  const results = await runTraining({
    folder,
    data,
    openDevice: () => openDevice(options.device),
    resume: resumed !== undefined,
    saveEvery: options.saveEvery,
    signal,
    events: showTraining(),
  }).catch((error: unknown) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(`stopped and saved: go on with wavelight train --resume --out ${folder.path}`);
  });
  if (options.json) console.log(JSON.stringify({ run: folder.path, results }));
  else printResults(results, folder.path);
}

async function dataFolder(options: TrainOptions, cache: string, signal: AbortSignal): Promise<string> {
  if (options.data !== undefined) return resolve(options.data);
  let progress: Progress | undefined;
  const { path, made } = await makeDemoDataset(join(cache, '..', 'demo'), {
    signal,
    onProgress: (done, total) => {
      progress ??= showProgress('making the data set', total, 'clips');
      progress.update(done);
    },
  });
  progress?.end();
  say(`${made ? 'made' : 'found'} the demonstration data set in ${path}`);
  return path;
}

async function startRun(options: TrainOptions, root: string, clips: number): Promise<RunFolder> {
  const { batch, lrUnimodal, ...rest } = options;
  const recipe = makeRecipe(
    {
      ...rest,
      ...(batch === undefined ? {} : { batchSize: batch }),
      ...(lrUnimodal === undefined ? {} : { unimodalLr: lrUnimodal }),
    },
    clips,
  );
  return createRun(options.out ?? (await freeRunPath(options.preset)), { data: root, recipe });
}

async function findRun(out: string | undefined): Promise<RunFolder> {
  return out === undefined ? newestUnfinishedRun() : openRun(out);
}

/** A resumed run keeps its recipe: what the command says must be what the run says. */
function assertSameRecipe({ path, config }: RunFolder, options: TrainOptions, command: Command): void {
  const { recipe, data } = config;
  const { audio, video, joint } = recipe.phases;
  const same: readonly [option: keyof TrainOptions, flag: string, found: readonly (string | number)[]][] = [
    ['data', '--data', [data]],
    ['preset', '--preset', [recipe.preset]],
    ['epochs', '--epochs', [audio.epochs, video.epochs, joint.epochs]],
    ['batch', '--batch', [recipe.batchSize]],
    ['lr', '--lr', [joint.optimizer.learningRate]],
    ['lrUnimodal', '--lr-unimodal', [audio.optimizer.learningRate, video.optimizer.learningRate]],
    ['freeze', '--freeze', [recipe.freeze]],
    ['validation', '--validation', [recipe.validation]],
    ['seed', '--seed', [recipe.seed]],
  ];
  for (const [option, flag, found] of same) {
    if (command.getOptionValueSource(option) !== 'cli') continue;
    const said = option === 'data' ? resolve(options.data ?? '') : options[option];
    const other = found.find((value) => value !== said);
    if (other !== undefined) {
      throw new UsageError(
        `${path} was started with ${flag} ${other}: leave the option out, or start a new run`,
      );
    }
  }
}

function holdOut(clips: readonly PreparedClip[], recipe: Recipe): Pick<TrainingData, 'train' | 'validation'> {
  if (recipe.validation === 0) return { train: clips, validation: [] };
  const { train, validation } = splitByLocation(clips, recipe.validation, recipe.seed);
  const prepared = new Map(clips.map((clip) => [clip.audio, clip]));
  const pick = (part: typeof train): PreparedClip[] => part.flatMap(({ audio }) => prepared.get(audio) ?? []);
  return { train: pick(train), validation: pick(validation) };
}

/** Shows each stage as one bar, or as a line per epoch where there is no terminal. */
function showTraining(): TrainingEvents {
  let progress: Progress | undefined;
  return {
    onStage: (stage, { steps, parameters }) => {
      say(`${stage}: ${parameters.toLocaleString('en')} parameters, ${steps} steps`);
      progress = showProgress(stage, steps, 'steps');
    },
    onStep: (done, loss) => progress?.update(done, `loss ${loss.toFixed(4)}`),
    onEpoch: ({ stage, epoch, loss, validation }) => {
      const held = validation ? `, validation accuracy ${(100 * validation.accuracy).toFixed(1)} %` : '';
      progress?.line(`${stage} epoch ${epoch}: mean loss ${loss.toFixed(4)}${held}`);
    },
    onStageEnd: () => progress?.end(),
    onEvaluation: (stage) => say(`evaluating ${stage}`),
  };
}

function printResults(results: RunResults, path: string): void {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`.padStart(8);
  console.log('model   accuracy (mean of classes)  accuracy (overall)  log loss');
  for (const stage of STAGES) {
    const { accuracy, logLoss } = results[stage];
    const cells = [
      percent(accuracy.macro).padStart(26),
      percent(accuracy.overall).padStart(18),
      logLoss.toFixed(4).padStart(8),
    ];
    console.log([stage.padEnd(6), ...cells].join('  '));
  }
  console.log(`report: ${runFiles(path).report}`);
}
