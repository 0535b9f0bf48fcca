import { join } from 'node:path';
import { Command } from 'commander';
import type { InputName } from '../avsc/features/inputs.ts';
import { findCacheFolder } from '../avsc/node/data/cache-folder.ts';
import { prepareSplits, type SplitName } from '../avsc/node/data/prepare-splits.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import { loadExperiment } from '../avsc/node/experiments/files.ts';
import { inputNames } from '../avsc/training/model.ts';
import type { PresetName } from '../avsc/experiment/presets.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, presetOption } from './options.ts';
import { print } from './output.ts';
import { sayEstimate, showProgress } from './progress.ts';
import { say } from './say.ts';

interface PrepareCommandOptions {
  readonly data: string;
  readonly preset: PresetName;
  readonly config?: string;
  readonly cache?: string;
  readonly json?: true;
}

/** `prepare --data DIR`: keeps sound and pictures of training and evaluation in the cache, and makes an experiment's inputs. */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description(
      'keep sound and pictures of a data set in the cache, decoded, and make inputs of nets from them; resumes after an interruption',
    )
    .addOption(dataOption().makeOptionMandatory())
    .addOption(presetOption('paper'))
    .option('--config <file>', 'experiment whose inputs are made, instead of a preset')
    .addOption(cacheOption())
    .option('--json', 'print what was prepared as JSON')
    .action(async ({ data, preset, config, cache, json }: PrepareCommandOptions) => {
      const experiment = await loadExperiment(config ?? preset);
      const folder = await clipCache(cache);
      const { splits, cached } = await withInterrupt((signal) =>
        decode(data, ['train', 'evaluate'], {
          inputs: inputNames(experiment),
          size: experiment.imageSize,
          scenes: experiment.scenes,
          cache: folder,
          signal,
        }),
      );
      const [train = [], evaluate = []] = splits;
      const summary = { cache: folder, cached, train: sizeOf(train), evaluate: sizeOf(evaluate) };
      if (json) await print(JSON.stringify(summary));
      else {
        await print(
          `train: ${train.length} clips, ${summary.train.seconds} s; evaluate: ${evaluate.length} clips, ` +
            `${summary.evaluate.seconds} s; ${cached} were there already; in ${folder}`,
        );
      }
    });
}

interface DecodeSettings {
  /** Inputs to make. */
  readonly inputs: readonly InputName[];
  /** Side of frames in pixels. */
  readonly size: number;
  /** Names of which labels are. */
  readonly scenes: readonly string[];
  readonly cache: string;
  readonly signal: AbortSignal;
}

/** Prepares splits and shows the space they take and the progress. Throws as `prepareSplits` does. */
export async function decode(
  data: string,
  names: readonly SplitName[],
  settings: DecodeSettings,
): Promise<{ readonly splits: readonly PreparedClip[][]; readonly cached: number }> {
  let progress: ReturnType<typeof showProgress> | undefined;
  const onProgress = (done: number, total: number): void => {
    progress ??= showProgress('preparing', total, 'clips');
    progress.update(done);
  };
  try {
    return await prepareSplits(data, names, { ...settings, onProgress, onEstimate: sayEstimate });
  } finally {
    progress?.end();
  }
}

/** The folder of prepared clips: the given one, or the default in the user's cache folder. */
export async function clipCache(named: string | undefined): Promise<string> {
  const folder = named ?? join(await findCacheFolder(), 'clips');
  if (named === undefined) say(`prepared clips are kept in ${folder}`);
  return folder;
}

function sizeOf(clips: readonly PreparedClip[]): { clips: number; seconds: number } {
  return { clips: clips.length, seconds: clips.reduce((sum, { seconds }) => sum + seconds, 0) };
}
