import { join } from 'node:path';
import { Command } from 'commander';
import { findCacheFolder } from '../avsc/node/data/cache-folder.ts';
import { prepareSplits, type SplitName } from '../avsc/node/data/prepare-splits.ts';
import type { PreparedClip } from '../avsc/node/data/prepare.ts';
import type { PresetName } from '../avsc/presets.ts';
import { pictureInput } from '../avsc/training/model.ts';
import type { ArchitectureName } from '../avsc/weights/architecture.ts';
import { withInterrupt } from './interrupt.ts';
import { cacheOption, dataOption, extractorOption, presetOption } from './options.ts';
import { say, showProgress } from './progress.ts';

/** `prepare --data DIR`: decodes the clips of training and evaluation into the cache. */
export function prepareCommand(): Command {
  return new Command('prepare')
    .description('decode sound and pictures of a data set into the cache; resumes after an interruption')
    .addOption(dataOption().makeOptionMandatory())
    .addOption(presetOption('paper'))
    .addOption(extractorOption('video'))
    .addOption(cacheOption())
    .option('--json', 'print what was prepared as JSON')
    .action(
      async ({
        data,
        preset,
        video,
        cache,
        json,
      }: {
        data: string;
        preset: PresetName;
        video?: ArchitectureName;
        cache?: string;
        json?: true;
      }) => {
        const folder = await clipCache(cache);
        const { size } = pictureInput(preset, { audio: null, video: video ?? null });
        const { splits, cached } = await withInterrupt((signal) =>
          decode(data, ['train', 'evaluate'], { size, cache: folder, signal }),
        );
        const [train = [], evaluate = []] = splits;
        const summary = { cache: folder, cached, train: sizeOf(train), evaluate: sizeOf(evaluate) };
        if (json) console.log(JSON.stringify(summary));
        else {
          console.log(
            `train: ${train.length} clips, ${summary.train.seconds} s; evaluate: ${evaluate.length} clips, ` +
              `${summary.evaluate.seconds} s; ${cached} were there already; in ${folder}`,
          );
        }
      },
    );
}

interface DecodeSettings {
  /** Side of the pictures in pixels. */
  readonly size: number;
  readonly cache: string;
  readonly signal: AbortSignal;
}

/** Decodes splits and shows progress. Throws as `prepareSplits` does. */
export async function decode(
  data: string,
  names: readonly SplitName[],
  { size, cache, signal }: DecodeSettings,
): Promise<{ readonly splits: readonly PreparedClip[][]; readonly cached: number }> {
  let progress: ReturnType<typeof showProgress> | undefined;
  const onProgress = (done: number, total: number): void => {
    progress ??= showProgress('decoding', total, 'clips');
    progress.update(done);
  };
  try {
    return await prepareSplits(data, names, { cache, size, signal, onProgress });
  } finally {
    progress?.end();
  }
}

/** The folder of decoded clips: the given one, or the default in the user's cache folder. */
export async function clipCache(named: string | undefined): Promise<string> {
  const folder = named ?? join(await findCacheFolder(), 'clips');
  if (named === undefined) say(`decoded clips are kept in ${folder}`);
  return folder;
}

function sizeOf(clips: readonly PreparedClip[]): { clips: number; seconds: number } {
  return { clips: clips.length, seconds: clips.reduce((sum, { seconds }) => sum + seconds, 0) };
}
