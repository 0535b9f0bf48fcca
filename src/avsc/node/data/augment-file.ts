// One operation of augmentation on one file: a picture, a recording, or the features of a recording.

import sharp from 'sharp';
import { toStereo } from '../../audio/clip.ts';
import { resampleStereo } from '../../audio/resample.ts';
import { encodeWav } from '../../audio/wav.ts';
import { augmentRow } from '../../augment/features/host.ts';
import { drawFeatureRow } from '../../augment/features/policy.ts';
import type { Extent } from '../../augment/pictures/instruction.ts';
import type { MagnitudeScale, PictureOperationName } from '../../augment/pictures/operation.ts';
import { perturbBytes } from '../../augment/pictures/perturb.ts';
import { operationProgram } from '../../augment/pictures/policy.ts';
import { makeExtraSound } from '../../augment/sound/extras.ts';
import type { SoundOperationName } from '../../augment/sound/index.ts';
import { randomStream } from '../../dataset/random.ts';
import { FEATURE_CHANNELS, FRAMES_PER_SECOND, MELS } from '../../features/logmel.ts';
import { readPixels } from './image.ts';
import { readFeatures } from './media-seconds.ts';
import { readSound } from './read-media.ts';

interface AugmentedPicture extends Extent {
  readonly png: Uint8Array;
}

/**
 * A picture of any size after one operation. `seed` decides its sign or place.
 * Throws, naming the file, as `readPixels` does, and a RangeError for a magnitude out of range.
 */
export async function augmentPicture(
  path: string,
  op: PictureOperationName,
  { magnitude, scale, seed }: { magnitude: number; scale: MagnitudeScale; seed: number },
): Promise<AugmentedPicture> {
  const pixels = await readPixels(path);
  const { width, height } = pixels;
  const program = operationProgram(op, magnitude, scale, pixels, randomStream(seed));
  const planes = perturbBytes(planesOf(pixels), program, pixels);
  return { width, height, png: await encodePng(planes, pixels) };
}

interface AugmentedRecording {
  readonly wav: Uint8Array;
  readonly seconds: number;
  readonly sampleRate: number;
  /** Parameters that were drawn or given. */
  readonly value: readonly number[];
  /** Samples beyond full scale, which are clipped. */
  readonly clipped: number;
}

/**
 * The sound of any media file after one operation, at its own rate, as 24-bit wav of one or two channels: of more, the first two are kept.
 * `partner` is the file to mix with; parameters are drawn from `seed` unless `value` gives them.
 * Throws, naming the file, as `readSound` does, and a RangeError for a value out of range.
 */
export async function augmentRecording(
  path: string,
  op: SoundOperationName,
  options: { value: readonly number[] | undefined; partner: string | undefined; seed: number },
): Promise<AugmentedRecording> {
  const { channels, sampleRate } = await readSound(path);
  const other = options.partner === undefined ? undefined : await readSound(options.partner);
  const partner = other && resampleStereo(toStereo(other.channels), other.sampleRate, sampleRate);
  const random = randomStream(options.seed);
  const { sound, value } = makeExtraSound({
    op,
    sound: toStereo(channels),
    partner,
    random,
    value: options.value,
  });
  const kept = sound.slice(0, channels.length);
  const clipped = kept.reduce((sum, channel) => sum + channel.filter((x) => x < -1 || x > 1).length, 0);
  return {
    wav: encodeWav(kept, sampleRate, 24),
    seconds: sound[0].length / sampleRate,
    sampleRate,
    value,
    clipped,
  };
}

/** Pixels of the picture of features per value, along both axes. */
const ZOOM = 2;

/**
 * SpecAugment on the features of a recording, drawn second by second, as a picture: left and right beside each other, features, deltas and
 * delta-deltas below each other, low mels at the bottom. `mask` is the largest share of a dimension that a mask has.
 * Throws, naming the file, as `readFeatures` does.
 */
export async function pictureOfMasks(
  path: string,
  { mask, seed }: { mask: number; seed: number },
): Promise<AugmentedPicture> {
  const features = await readFeatures(path);
  const shape = [FEATURE_CHANNELS, MELS, FRAMES_PER_SECOND] as const;
  const size = FEATURE_CHANNELS * MELS * FRAMES_PER_SECOND;
  const seconds = Array.from({ length: features.length / size }, (_, second) => {
    const policy = { specAugment: { mask }, channelConfusion: 0 };
    const row = drawFeatureRow(policy, shape, randomStream(seed, second));
    return augmentRow(features.subarray(second * size, (second + 1) * size), row, shape);
  });
  const frames = seconds.length * FRAMES_PER_SECOND;
  const [columns, rows] = [2 * frames, 3 * MELS];
  const [width, height] = [ZOOM * columns, ZOOM * rows];
  const greys = new Uint8Array(width * height);
  for (let kind = 0; kind < 3; kind++) {
    const map = 2 * MELS * FRAMES_PER_SECOND;
    const maps = seconds.map((values) => values.subarray(kind * map, (kind + 1) * map));
    const grey = greyOf(kind, maps);
    for (let y = 0; y < ZOOM * MELS; y++) {
      const mel = MELS - 1 - Math.floor(y / ZOOM);
      for (let x = 0; x < width; x++) {
        const column = Math.floor(x / ZOOM);
        const [channel, frame] = [Math.floor(column / frames), column % frames];
        const at = (channel * MELS + mel) * FRAMES_PER_SECOND + (frame % FRAMES_PER_SECOND);
        const value = maps[Math.floor(frame / FRAMES_PER_SECOND)]?.[at] ?? Number.NaN;
        greys[(kind * ZOOM * MELS + y) * width + x] = grey(value);
      }
    }
  }
  const png = await sharp(greys, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
  return { width, height, png };
}

/** Grey of a value. Features lie in 0 .. 1; deltas are shown around the middle grey, as bright as the largest of them allows. */
function greyOf(kind: number, maps: readonly Float32Array[]): (value: number) => number {
  if (kind === 0) return (value) => Math.round(255 * Math.max(0, Math.min(1, value)));
  let largest = 1e-12;
  for (const map of maps) for (const value of map) largest = Math.max(largest, Math.abs(value));
  return (value) => Math.round(128 + (127 * value) / largest);
}

/** RGB bytes [3, height, width]. */
function planesOf({
  data,
  width,
  height,
  channels,
}: Awaited<ReturnType<typeof readPixels>>): Uint8Array<ArrayBuffer> {
  const area = width * height;
  const planes = new Uint8Array(3 * area);
  for (let plane = 0; plane < 3; plane++) {
    for (let i = 0; i < area; i++) planes[plane * area + i] = data[i * channels + plane] ?? 0;
  }
  return planes;
}

function encodePng(planes: Uint8Array, { width, height }: Extent): Promise<Uint8Array> {
  const area = width * height;
  const data = new Uint8Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let plane = 0; plane < 3; plane++) data[3 * i + plane] = planes[plane * area + i] ?? 0;
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
