import { extname } from 'node:path';
import { Command } from 'commander';
import { readFeatures } from '../avsc/node/data/media-seconds.ts';
import { encodeNpy } from '../avsc/node/data/npy.ts';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../avsc/features/logmel.ts';
import { writeSafetensors } from '../nn/checkpoint/safetensors/file.ts';
import { checkFile, writeFileAtomic } from '../node/files.ts';
import { UsageError } from './options.ts';
import { print } from './output.ts';

/** Values of the features of one second. */
const VALUES = FEATURE_CHANNELS * MELS * FRAMES_PER_SECOND;

const CHANNELS = ['left', 'right', 'delta left', 'delta right', 'delta-delta left', 'delta-delta right'];

/** `features FILE`: the log-mel features of a media file. */
export function featuresCommand(): Command {
  return new Command('features')
    .description('log-mel features of the sound of a media file, second by second')
    .argument('<file>', 'any file with sound: wav, mp4, mkv, webm, ...')
    .option('--out <path>', 'write all values [seconds, 6, 128, 39] to a .npy or .safetensors file')
    .action(async (file: string, { out }: { out?: string }) => {
      const encode = out === undefined ? undefined : encoderFor(out);
      await checkFile(file);
      const data = await readFeatures(file);
      const shape = [data.length / VALUES, FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND];
      if (out !== undefined && encode !== undefined) await writeFileAtomic(out, encode(data, shape));
      const channels = CHANNELS.map((name, c) => ({ name, ...summary(data, c) }));
      await print(JSON.stringify({ file, shape, ...(out === undefined ? {} : { out }), channels }, null, 2));
    });
}

function encoderFor(path: string): typeof encodeNpy {
  switch (extname(path)) {
    case '.npy':
      return encodeNpy;
    case '.safetensors':
      return (data, shape) => writeSafetensors(new Map([['features', { data, shape }]]));
    default:
      throw new UsageError(`--out ${path} must end in .npy or .safetensors`);
  }
}

/** Smallest, largest and mean value of one channel over all seconds. */
function summary(data: Float32Array, channel: number): { min: number; max: number; mean: number } {
  const size = MELS * FRAMES_PER_SECOND;
  let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
  for (let at = channel * size; at < data.length; at += VALUES) {
    for (const value of data.subarray(at, at + size)) {
      if (value < min) min = value;
      if (value > max) max = value;
      sum += value;
      count += 1;
    }
  }
  return { min, max, mean: sum / count };
}
