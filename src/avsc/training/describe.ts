// Metadata of an exported model: everything that a program needs to run it.

import { SCENES } from '../dataset/scenes.ts';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../features/logmel.ts';
import type { OnnxInput } from '../../nn/onnx/export.ts';
import { modalitiesOf, pictureInput } from './model.ts';
import { extractorNames, type Recipe } from './recipe.ts';
import type { Stage } from './records.ts';

const PICTURES = 2;

/** Parameters of the features of one second of sound. */
const SOUND = {
  sampleRate: 48_000,
  channels: 'left, right, their deltas, their delta-deltas',
  stft: {
    size: 2048,
    hop: 1024,
    window: 'periodic Hann',
    centred: true,
    padding: 'reflect, edge not repeated',
  },
  mel: { bands: MELS, from: 0, to: 24_000, scale: 'HTK', normalised: false, of: 'power' },
  log: 'ln(x + 1e-8)',
  scaling:
    'to [0, 1] by the smallest and largest log-mel value of both channels of the second, before the deltas',
  delta:
    '(x[t+1] - x[t-1]) / 10 + (x[t+2] - x[t-2]) / 5, without padding; all is cropped to the frames that remain',
} as const;

type Part = Pick<Recipe, 'preset' | 'extractors'>;

/** The inputs of a stage's model, in its order. */
export function describeInputs(recipe: Part, stage: Stage): OnnxInput[] {
  const { size, mean, std } = pictureInput(recipe.preset, extractorNames(recipe));
  return modalitiesOf(stage).map((part) =>
    part === 'audio'
      ? {
          name: 'audio',
          shape: [FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND],
          description: `log-mel features of 1 s of stereo sound, [channel, mel band, frame]: ${JSON.stringify(SOUND)}`,
        }
      : {
          name: 'frames',
          shape: [PICTURES, 3, size, size],
          description: `the 1st and the 15th frame of the second (0 s and 14/30 s), RGB, squashed to ${Math.round((size * 256) / 224)} pixels square and cut to the centre ${size}, then (x / 255 - mean) / std with mean [${mean.join(', ')}] and std [${std.join(', ')}]`,
        },
  );
}

/** Description of a stage's model as text, for the metadata of a file. */
export function describeModel(recipe: Part, stage: Stage): Map<string, string> {
  const names = extractorNames(recipe);
  const { size, mean, std } = pictureInput(recipe.preset, names);
  const parts = modalitiesOf(stage);
  const extractors = Object.fromEntries(parts.map((part) => [part, names[part] ?? `the preset's own`]));
  return new Map([
    ['model', stage],
    ['preset', recipe.preset],
    ['extractors', JSON.stringify(extractors)],
    ['classes', JSON.stringify(SCENES)],
    ...(parts.includes('audio') ? ([['audio', JSON.stringify(SOUND)]] as const) : []),
    ...(parts.includes('video')
      ? ([['frames', JSON.stringify({ times: [0, 14 / 30], size, fit: 'squash-crop', mean, std })]] as const)
      : []),
  ]);
}
