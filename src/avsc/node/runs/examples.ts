// Samples that a report shows: some that were recognized, and those that were most wrong.

import { resultKey } from '../../experiment/experiment.ts';
import { SAMPLE_RATE, type Stereo } from '../../audio/clip.ts';
import { LogMelExtractor } from '../../features/logmel.ts';
import { SOUND_INPUTS, type SoundInputName } from '../../features/inputs.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { inputNames } from '../../training/model.ts';
import type { RunReport } from '../report/data.ts';
import { pickExamples } from '../report/examples.ts';
import { picturePng, spectrogramPng } from '../report/pictures.ts';
import type { Sample } from '../data/loader.ts';
import type { Predictions } from './evaluate.ts';
import { readInput } from './sample-input.ts';

const RIGHT = 6;
const WRONG = 9;

/** Examples with their frames and spectrogram, for inputs that the run's nets take. */
export async function showExamples(
  recipe: Recipe,
  { samples, scenes, probabilities }: Predictions,
): Promise<RunReport['examples']> {
  const labels = Int32Array.from(samples, ({ clip }) => clip.label ?? -1);
  const clips = samples.map(({ clip }) => clip.name);
  const picked = pickExamples(probabilities, labels, clips, {
    classes: scenes.length,
    right: RIGHT,
    wrong: WRONG,
  });
  return Promise.all(
    picked.map(async ({ index, kind }) => {
      const sample = samples[index];
      if (sample === undefined) throw new RangeError(`there is no sample ${index}`);
      const row = probabilities.subarray(index * scenes.length, (index + 1) * scenes.length);
      return {
        clip: sample.clip.name,
        second: sample.second,
        truth: scenes[sample.clip.label ?? -1] ?? '',
        probabilities: { [resultKey(recipe)]: Array.from(row) },
        kind,
        ...(await showSample(recipe, sample)),
      };
    }),
  );
}

/** Pictures of one sample as data URIs; what the nets do not take is left out. */
async function showSample(
  recipe: Recipe,
  { clip, second }: Sample,
): Promise<{ frames: string[]; spectrogram: string }> {
  const { imageSize: size } = recipe;
  const inputs = inputNames(recipe);
  const frames: string[] = [];
  if (inputs.includes('frames')) {
    const bytes = await readInput(clip, 'frames', second, size);
    const half = bytes.length / 2;
    for (const at of [0, half]) frames.push(await picturePng(bytes.subarray(at, at + half), size));
  }
  return { frames, spectrogram: await soundOf(recipe, { clip, second }) };
}

/** What the nets hear of a sample, as a spectrogram; '' if they hear nothing. */
async function soundOf(recipe: Recipe, { clip, second }: Pick<Sample, 'clip' | 'second'>): Promise<string> {
  const inputs = inputNames(recipe);
  const read = async (input: SoundInputName): Promise<Float32Array> =>
    floats(await readInput(clip, input, second, recipe.imageSize));
  if (inputs.includes('logmel')) return spectrogramOf(await read('logmel'));
  if (inputs.includes('openl3')) return spectrogramPng(await read('openl3'), SOUND_INPUTS.openl3[2], 1);
  if (!inputs.includes('waveform')) return '';
  const samples = await read('waveform');
  const sound: Stereo = [samples.subarray(0, SAMPLE_RATE), samples.subarray(SAMPLE_RATE)];
  return spectrogramOf(new LogMelExtractor().extract(sound).data);
}

/** Pixels of a frame of features. */
const FRAME_WIDTH = 4;

/** The left channel of log-mel features [6, 128, 39]. */
export function spectrogramOf(features: Float32Array): Promise<string> {
  const [, mels, times] = SOUND_INPUTS.logmel;
  return spectrogramPng(features.subarray(0, mels * times), times, FRAME_WIDTH);
}

export const floats = (bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
