/*
 * Feeds the decoder of media files with hostile files:
 * node --import ./bin/wgsl.js tools/fuzz-media.ts --count 20000 --seed 1 [--format mp4] [--jobs 2] [--sentences].
 * Each input must be decoded, or refused by one clear sentence that begins with the file's name, within 10 s and 512 MB.
 * An input that ends or occupies the decoding process must be refused by `readMedia`, which starts such processes.
 * Offending inputs are saved to files, and the exit code is then 1.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readMedia } from '../src/avsc/node/data/read-media.ts';
import {
  changeOf,
  hostileMedia,
  MEDIA_FORMATS,
  type MediaFormat,
  type MediaSeeds,
} from '../test/support/hostile/media.ts';
import { outcomeOfMedia } from '../test/support/hostile/media-outcome.ts';
import { readSeeds, writeSeeds } from '../test/support/hostile/media-seeds.ts';
import type { Outcome } from '../test/support/hostile/outcome.ts';
import { fuzz, servedAsChild, type Fuzzed } from './fuzzing.ts';

/** Environment variable that names the folder of the valid files, for children. */
const SEEDS = 'WAVELIGHT_FUZZ_SEEDS';

/** The inputs made of the valid files in a folder, and their outcomes. */
export function mediaFuzzing(folder: string): Fuzzed<MediaFormat> {
  let read: MediaSeeds | undefined;
  const seeds = (): MediaSeeds => (read ??= readSeeds(folder));
  const judge = async (
    bytes: Uint8Array,
    format: MediaFormat,
    decode: typeof readMedia | undefined,
  ): Promise<Outcome> => {
    const path = join(folder, `hostile-${process.pid}.${format}.bin`);
    writeFileSync(path, bytes);
    try {
      return await outcomeOfMedia(path, decode);
    } finally {
      rmSync(path);
    }
  };
  return {
    formats: MEDIA_FORMATS,
    limits: { seconds: 10, megabytes: 512, patience: 5 },
    batch: 500,
    input: (format, seed, index) => hostileMedia(format, seed, index, seeds()),
    change: (format, seed, index) => changeOf(format, seed, index, seeds()),
    outcome: (bytes, format) => judge(bytes, format, undefined),
    outcomeInProgram: (bytes, format) =>
      judge(bytes, format, (path) => readMedia(path, { patience: 10_000 })),
  };
}

/** Writes the valid files into a new folder, which the children of this process find. */
export async function prepareMediaFuzzing(): Promise<{ readonly folder: string; readonly ffmpeg: boolean }> {
  const folder = mkdtempSync(join(tmpdir(), 'wavelight-seeds-'));
  const { ffmpeg } = await writeSeeds(folder);
  process.env[SEEDS] = folder;
  return { folder, ffmpeg };
}

if (process.argv[1] === import.meta.filename) {
  const given = process.env[SEEDS];
  if (given === undefined || !(await servedAsChild(mediaFuzzing(given)))) {
    const { folder, ffmpeg } = await prepareMediaFuzzing();
    console.log(
      ffmpeg ? 'seeds by mediabunny and ffmpeg' : 'seeds by mediabunny alone: ffmpeg is not installed',
    );
    await fuzz(import.meta.filename, mediaFuzzing(folder));
    rmSync(folder, { recursive: true });
  }
}
