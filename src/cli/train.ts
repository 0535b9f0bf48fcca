import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { splitByLocation } from '../avsc/dataset/validation.ts';
import { MODALITIES, type Modality } from '../avsc/models/joint.ts';
import { makeDemoDataset } from '../avsc/node/data/demo.ts';
import { readGivenWeights, sha256Of, type GivenWeights } from '../avsc/node/weights/given.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import {
  createRun,
  exists,
  freeRunPath,
  newestUnfinishedRun,
  openRun,
  runFiles,
  type RunFolder,
} from '../avsc/node/runs/folder.ts';
import { runTraining, type TrainingData, type TrainingEvents } from '../avsc/node/training/train.ts';
import {
  extractorNames,
  FREEZES,
  makeRecipe,
  type ExtractorChoice,
  type Recipe,
  type RecipeOptions,
} from '../avsc/training/recipe.ts';
import { STAGES, type RunResults } from '../avsc/training/records.ts';
import { pictureInput, type ExtractorNames } from '../avsc/training/model.ts';
import type { ArchitectureName } from '../avsc/weights/architecture.ts';
import { formatReport } from '../avsc/weights/import.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { openDevice } from './device.ts';
import { Interrupted, withInterrupt } from './interrupt.ts';
import {
  cacheOption,
  dataOption,
  deviceOption,
  extractorOption,
  numeric,
  presetOption,
  UsageError,
  whole,
} from './options.ts';
import { clipCache, decode } from './prepare.ts';
import { say, showEmbedding, showProgress, type Progress } from './progress.ts';

interface TrainOptions extends Omit<RecipeOptions, 'batchSize' | 'extractors'> {
  readonly audio?: ArchitectureName;
  readonly audioWeights?: string;
  readonly video?: ArchitectureName;
  readonly videoWeights?: string;
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
    .addOption(extractorOption('video'))
    .option('--video-weights <file>', 'checkpoint that the video net begins with, of any format that is read')
    .addOption(extractorOption('audio'))
    .option('--audio-weights <file>', 'the same for the audio net')
    .addOption(
      new Option(
        '--freeze <part>',
        'extractors left as they are: given weights from the start, others in the joint stage ' +
          '(default: given weights in the small preset, none in the paper)',
      ).choices([...FREEZES]),
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
  for (const part of MODALITIES) {
    if (options[`${part}Weights`] !== undefined && options[part] === undefined && !resumed) {
      throw new UsageError(`--${part}-weights needs --${part} to say which net the weights are of`);
    }
  }
  if (resumed) await assertSameRecipe(resumed, options, command);
  // Before minutes of decoding, not after.
  if (!resumed && options.out !== undefined && (await exists(runFiles(options.out).config))) {
    throw new Error(
      `${options.out} already holds a run: choose another --out, or go on with that one by --resume`,
    );
  }
  const given = resumed ? new Map<Modality, GivenWeights>() : await readGiven(options);
  const preset = resumed?.config.recipe.preset ?? options.preset;
  const names: ExtractorNames = resumed
    ? extractorNames(resumed.config.recipe)
    : { audio: options.audio ?? null, video: options.video ?? null };
  const cache = await clipCache(options.cache);
  const root = resumed?.config.data ?? (await dataFolder(options, cache, signal));
  const { size } = pictureInput(preset, names);
  const { splits } = await decode(root, ['train', 'evaluate'], { size, cache, signal });
  const [listed = [], evaluate = []] = splits;
  const folder = resumed ?? (await startRun(options, given, root, listed.length));
  const data = { ...holdOut(listed, folder.config.recipe), evaluate };
  say(`${resumed ? 'resuming' : 'run folder'}: ${folder.path}`);
  const results = await runTraining({
    folder,
    data,
    cache,
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

/** The weights that the command names, with a report of what was loaded. */
async function readGiven(options: TrainOptions): Promise<Map<Modality, GivenWeights>> {
  const given = new Map<Modality, GivenWeights>();
  for (const part of MODALITIES) {
    const [name, file] = [options[part], options[`${part}Weights`]];
    if (name === undefined || file === undefined) continue;
    const weights = await readGivenWeights(name, file);
    say(formatReport(weights.report));
    given.set(part, weights);
  }
  return given;
}

async function startRun(
  options: TrainOptions,
  given: ReadonlyMap<Modality, GivenWeights>,
  root: string,
  clips: number,
): Promise<RunFolder> {
  const { batch, lrUnimodal, ...rest } = options;
  const choose = (part: Modality): ExtractorChoice | null => {
    const architecture = options[part];
    return architecture === undefined ? null : { architecture, weights: given.get(part)?.source ?? null };
  };
  const recipe = makeRecipe(
    {
      ...rest,
      extractors: { audio: choose('audio'), video: choose('video') },
      ...(batch === undefined ? {} : { batchSize: batch }),
      ...(lrUnimodal === undefined ? {} : { unimodalLr: lrUnimodal }),
    },
    clips,
  );
  const states = new Map([...given].map(([part, { state }]) => [part, state]));
  return createRun(options.out ?? (await freeRunPath(options.preset)), { data: root, recipe }, states);
}

async function findRun(out: string | undefined): Promise<RunFolder> {
  return out === undefined ? newestUnfinishedRun() : openRun(out);
}

/** A resumed run keeps its recipe: what the command says must be what the run says. */
async function assertSameRecipe(
  { path, config }: RunFolder,
  options: TrainOptions,
  command: Command,
): Promise<void> {
  const { recipe, data } = config;
  const { audio, video, joint } = recipe.phases;
  const same: readonly [option: keyof TrainOptions, flag: string, found: readonly (string | number)[]][] = [
    ['data', '--data', [data]],
    ['preset', '--preset', [recipe.preset]],
    ['epochs', '--epochs', [audio.epochs, video.epochs, joint.epochs]],
    ['batch', '--batch', [recipe.batchSize]],
    ['lr', '--lr', [joint.optimizer.learningRate]],
    ['lrUnimodal', '--lr-unimodal', [audio.optimizer.learningRate, video.optimizer.learningRate]],
    ['audio', '--audio', [recipe.extractors.audio?.architecture ?? 'nothing']],
    ['video', '--video', [recipe.extractors.video?.architecture ?? 'nothing']],
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
  for (const part of MODALITIES) {
    const file = options[`${part}Weights`];
    if (file === undefined) continue;
    const weights = recipe.extractors[part]?.weights;
    if (!weights || (await sha256Of(file)) !== weights.sha256) {
      throw new UsageError(
        `${path} was started with ${weights ? `other --${part}-weights than ${file} holds` : `no --${part}-weights`}: ` +
          'leave the option out, or start a new run',
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
    onEmbedding: showEmbedding(),
    onStage: (stage, { steps, parameters, trained }) => {
      const part = trained < parameters ? `, ${trained.toLocaleString('en')} of them trained` : '';
      say(`${stage}: ${parameters.toLocaleString('en')} parameters${part}, ${steps} steps`);
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
