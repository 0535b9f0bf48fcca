import { Command, Option } from 'commander';
import { newestUnfinishedRun, openRun, runFiles, type RunFolder } from '../avsc/node/runs/folder.ts';
import { resumeTraining, startTraining } from '../avsc/node/training/start.ts';
import type { Frozen } from '../avsc/models/joint.ts';
import { PROFILES } from '../gpu/profile.ts';
import { checkOutput } from '../node/files.ts';
import { openDevice } from './device.ts';
import { dryRun, printDryRun } from './dry-run.ts';
import { Interrupted, withInterrupt } from './interrupt.ts';
import {
  cacheOption,
  dataOption,
  deviceOption,
  extractorOption,
  numeric,
  PRECISIONS,
  presetOption,
  UsageError,
  whole,
} from './options.ts';
import { print } from './output.ts';
import { clipCache } from './prepare.ts';
import { assertSameRecipe, newRun, type TrainOptions } from './train-options.ts';
import { printResults, showTraining } from './train-progress.ts';
import { tuneTraining } from './tune-training.ts';

/** Extractors that can be frozen: those with given weights from the first stage on, others in the joint stage. */
const FREEZES: readonly Frozen[] = ['none', 'audio', 'video', 'both'];

/** `train`: from clips to a report; without `--data` on the demonstration data set. */
export function trainCommand(): Command {
  return new Command('train')
    .description(
      'train sound alone, pictures alone, then both together, and evaluate all three; without --data on a small generated data set',
    )
    .addOption(dataOption())
    .addOption(presetOption('small'))
    .option('--config <file>', 'experiment to train: a JSON file, or the name of one in experiments/')
    .option('--epochs <n>', "epochs of each stage (default: the experiment's)", whole(1))
    .option('--batch <n>', "samples per batch (default: the experiment's)", whole(2, 65536))
    .option('--lr <rate>', 'learning rate of stages with sound and pictures', numeric(0))
    .option('--lr-unimodal <rate>', 'learning rate of stages with sound or pictures alone', numeric(0))
    .addOption(extractorOption('video'))
    .option(
      '--video-weights <file>',
      'checkpoint with the initial weights of the video net, in any supported format',
    )
    .addOption(extractorOption('audio'))
    .option('--audio-weights <file>', 'the same for the audio net')
    .option('--weights-folder <dir>', 'folder of published weights that the experiment names', 'weights')
    .option('--random-weights', 'begin with random weights where published ones are missing')
    .addOption(
      new Option(
        '--freeze <part>',
        'frozen extractors: those with given weights from the start, others in the joint stage ' +
          '(default: given weights in the small preset, none in the paper)',
      ).choices(FREEZES),
    )
    .option(
      '--validation <part>',
      'fraction of the locations that is held out and measured each epoch',
      numeric(0, 1, true),
    )
    .addOption(
      new Option(
        '--precision <type>',
        'how activations and gradients are stored, with the loss scaled for f16 (default: f32)',
      ).choices(PRECISIONS),
    )
    .option('--seed <n>', 'seed of initial weights, order and dropout (default: 1)', whole(0, 2 ** 32 - 1))
    .addOption(deviceOption())
    .addOption(cacheOption())
    .option('--out <dir>', 'folder of the run (default: a new one under runs/)')
    .option('--resume', 'resume the run in --out, or the newest unfinished one')
    .option('--tune', 'measure the fastest geometry of each kernel before training; see bench tune')
    .option(
      '--save-every <steps>',
      'steps between two checkpoints, in addition to the one after each epoch',
      whole(1),
      200,
    )
    .option(
      '--dry-run',
      'print stages, steps, memory, dispatches, flops and estimated time, without data or device',
    )
    .addOption(
      new Option('--limits <profile>', 'device that --dry-run plans for')
        .choices(Object.keys(PROFILES))
        .default('h100'),
    )
    .option('--json', 'print the results as JSON')
    .action(async (options: TrainOptions, command: Command) => {
      await withInterrupt((signal) => train(options, command, signal));
    });
}

async function train(options: TrainOptions, command: Command, signal: AbortSignal): Promise<void> {
  if (options.dryRun) {
    const { experiment, data } = await newRun(options, command);
    const planned = await dryRun(experiment, options.limits, data);
    if (options.json) await print(JSON.stringify(planned));
    else await printDryRun(planned);
    return;
  }
  if (options.tune && options.resume)
    throw new UsageError('--tune is for a new run: a resumed one keeps the choices it began with');
  const resumed = options.resume ? await findRun(options.out) : undefined;
  if (resumed) await assertSameRecipe(resumed, options, command);
  const start = resumed ?? (await newRun(options, command));
  if (options.out !== undefined) await checkOutput(runFiles(options.out).config);
  if (options.tune && 'experiment' in start) await tuneTraining(start.experiment, options.device, signal);
  const display = showTraining();
  const settings = {
    cache: await clipCache(options.cache),
    openDevice: () => openDevice(options.device),
    saveEvery: options.saveEvery,
    signal,
    events: display.events,
  };
  try {
    const training = 'config' in start ? resumeTraining(start, settings) : startTraining(start, settings);
    const { path, results } = await training;
    if (options.json) await print(JSON.stringify({ run: path, results }));
    else await printResults(results, path);
  } catch (error) {
    if (!(error instanceof Interrupted) || display.run === undefined) throw error;
    throw error.with(`stopped and saved: go on with wavelight train --resume --out ${display.run}`);
  } finally {
    display.end();
  }
}

async function findRun(out: string | undefined): Promise<RunFolder> {
  return out === undefined ? newestUnfinishedRun() : openRun(out);
}
