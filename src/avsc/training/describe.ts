// Metadata of an exported model: everything that a program needs to run it.

import { MELS } from '../features/logmel.ts';
import type { OnnxInput } from '../../nn/onnx/export.ts';
import { netsOf, type Experiment, type StageSpec } from '../experiment/experiment.ts';
import { SOUND_INPUTS } from '../features/inputs.ts';
import { inputOf, netOf, partOf, pictureInput } from './model.ts';

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

const OTHER_SOUNDS = {
  waveform: '1 s of stereo sound at 48 kHz, [channel, sample], in [-1, 1]',
  openl3: "OpenL3's mel256 spectrogram of 1 s of sound, in dB relative to its maximum, [1, mel band, frame]",
} as const;

/** The inputs of a stage's model, in its order. */
export function describeInputs(experiment: Experiment, { model }: StageSpec): OnnxInput[] {
  const { size, mean, std } = pictureInput(experiment, model);
  return netsOf(model).map((net) => {
    const input = inputOf(experiment, net);
    if (input === 'frames')
      return {
        name: 'frames',
        shape: [PICTURES, 3, size, size],
        description: `the 1st and the 15th frame of the second (0 s and 14/30 s), RGB, squashed to ${Math.round((size * 256) / 224)} pixels square and cut to the centre ${size}, then (x / 255 - mean) / std with mean [${mean.join(', ')}] and std [${std.join(', ')}]`,
      };
    const description =
      input === 'logmel'
        ? `log-mel features of 1 s of stereo sound, [channel, mel band, frame]: ${JSON.stringify(SOUND)}`
        : OTHER_SOUNDS[input];
    return { name: 'audio', shape: [...SOUND_INPUTS[input]], description };
  });
}

/** Description of a stage's model as text, for the metadata of a file. */
export function describeModel(experiment: Experiment, { id, model }: StageSpec): Map<string, string> {
  const { size, mean, std } = pictureInput(experiment, model);
  const nets = netsOf(model);
  const parts = nets.map((net) => partOf(experiment, net));
  const extractors = nets.map(
    (net) => [partOf(experiment, net), netOf(experiment, net).architecture] as const,
  );
  return new Map([
    ['model', id],
    ['experiment', experiment.name],
    ['extractors', JSON.stringify(Object.fromEntries(extractors))],
    ['classes', JSON.stringify(experiment.scenes)],
    ...(nets.some((net) => inputOf(experiment, net) === 'logmel')
      ? ([['audio', JSON.stringify(SOUND)]] as const)
      : []),
    ...(parts.includes('video')
      ? ([['frames', JSON.stringify({ times: [0, 14 / 30], size, fit: 'squash-crop', mean, std })]] as const)
      : []),
  ]);
}
