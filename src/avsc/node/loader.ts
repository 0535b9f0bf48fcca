// Batches of one-second samples out of the decoded clips, read ahead so that the device does not wait.

import { SCENES } from '../dataset/scenes.ts';
import { permutation, randomStream } from '../dataset/random.ts';
import { AUDIO_VALUES, frameBytes, openClipFile, readSecond, type ClipFile } from './clip-file.ts';
import type { PreparedClip } from './prepare.ts';

/** Mean and standard deviation per channel that Places365's and ImageNet's networks were trained with. */
const MEAN = [0.485, 0.456, 0.406] as const;
const STD = [0.229, 0.224, 0.225] as const;

/** One second of one clip. */
export interface Sample {
  readonly clip: PreparedClip;
  readonly second: number;
}

/**
 * One batch of B samples. The arrays are used again: they are valid until the next batch is asked for.
 */
export interface Batch {
  /** Index within the epoch. */
  readonly step: number;
  /** Samples that count; the rest up to B are zeros (only the last batch of an evaluation has fewer than B). */
  readonly count: number;
  /** Log-mel features [B, 6, 128, 39]. */
  readonly audio: Float32Array<ArrayBuffer>;
  /** Normalised RGB pictures [B, 2, 3, size, size]. */
  readonly frames: Float32Array<ArrayBuffer>;
  /** One-hot labels [B, 10]; zeros where a clip has no label. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** Class indices [B]; -1 where a clip has no label. */
  readonly classes: Int32Array<ArrayBuffer>;
  /** The `count` samples, in order. */
  readonly samples: readonly Sample[];
}

/** Changes one sample in place, before its pictures are normalised: features [6, 128, 39], RGB bytes [2, 3, S, S]. */
type SampleTransform = (
  audio: Float32Array,
  frames: Uint8Array,
  key: { readonly epoch: number; readonly index: number },
) => void;

interface LoaderOptions {
  readonly batchSize: number;
  /** Order of the samples: mixed anew each epoch from the seed, or as listed (for evaluation). */
  readonly shuffle?: { readonly seed: number };
  /** Whether a last batch of fewer samples is left out (default: when shuffling) or filled up with zeros. */
  readonly dropLast?: boolean;
  /** Batches read ahead, 2 by default. Memory: (readAhead + 1) * batchSize * (120 kB + 24 * size^2 bytes). */
  readonly readAhead?: number;
  /** Augmentation of single samples; `key` tells them apart, so that a resumed run repeats it. */
  readonly transform?: SampleTransform;
}

export interface Loader {
  /** Samples of one epoch (before any is dropped). */
  readonly sampleCount: number;
  /** Batches of one epoch. */
  readonly steps: number;
  /** The batches of an epoch, from step `from` on: the same (seed, epoch, step) always gives the same batch. */
  batches(epoch: number, from?: number): AsyncGenerator<Batch, void, undefined>;
}

/**
 * A loader over decoded clips; it keeps no clip in memory, so a data set may be larger than that.
 * Opens every clip once to check its header. Throws if a clip is missing, damaged or of another size,
 * if the set is empty, or if it has fewer samples than one batch needs.
 */
export async function createLoader(clips: readonly PreparedClip[], options: LoaderOptions): Promise<Loader> {
  const { batchSize, shuffle, dropLast = shuffle !== undefined, readAhead = 2 } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new Error(`the batch size must be an integer of at least 1, got ${batchSize}`);
  }
  const files = await openAll(clips);
  const size = files[0]?.size ?? 0;
  const samples = clips.flatMap((clip) =>
    Array.from({ length: clip.seconds }, (_, second): Sample => ({ clip, second })),
  );
  const steps = dropLast ? Math.floor(samples.length / batchSize) : Math.ceil(samples.length / batchSize);
  if (steps === 0) {
    throw new Error(
      `${samples.length} samples do not fill one batch of ${batchSize}: take a smaller batch or more clips`,
    );
  }
  const fileOf = new Map(clips.map((clip, i) => [clip, files[i] as ClipFile]));

  const fill = async (
    batch: MutableBatch,
    order: Uint32Array,
    epoch: number,
    step: number,
  ): Promise<Batch> => {
    const picked = [...order.subarray(step * batchSize, (step + 1) * batchSize)];
    clear(batch, picked.length);
    await Promise.all(
      picked.map(async (index, slot) => {
        const { clip, second } = samples[index] as Sample;
        const { audio, frames } = await readSecond(fileOf.get(clip) as ClipFile, second);
        options.transform?.(audio, frames, { epoch, index });
        batch.audio.set(audio, slot * AUDIO_VALUES);
        normalise(frames, size, batch.frames.subarray(slot * frames.length, (slot + 1) * frames.length));
        if (clip.label !== undefined) {
          batch.labels[slot * SCENES.length + clip.label] = 1;
          batch.classes[slot] = clip.label;
        }
      }),
    );
    return { ...batch, step, count: picked.length, samples: picked.map((index) => samples[index] as Sample) };
  };

  return {
    sampleCount: samples.length,
    steps,
    async *batches(epoch, from = 0) {
      const order = shuffle
        ? permutation(samples.length, randomStream(shuffle.seed, epoch, 'order'))
        : Uint32Array.from(samples, (_, i) => i);
      const ring = Array.from({ length: readAhead + 1 }, () => emptyBatch(batchSize, size));
      const pending: Promise<Batch>[] = [];
      const start = (step: number): void => {
        if (step >= steps) return;
        const filling = fill(ring[step % ring.length] as MutableBatch, order, epoch, step);
        // A failure is thrown when its batch is due; until then it must not count as unhandled.
        filling.catch(() => undefined);
        pending.push(filling);
      };
      for (let step = from; step < from + readAhead; step++) start(step);
      for (let step = from; step < steps; step++) {
        start(step + readAhead);
        yield await (pending.shift() as Promise<Batch>);
      }
    },
  };
}

type MutableBatch = Pick<Batch, 'audio' | 'frames' | 'labels' | 'classes'>;

function emptyBatch(batchSize: number, size: number): MutableBatch {
  return {
    audio: new Float32Array(batchSize * AUDIO_VALUES),
    frames: new Float32Array(batchSize * frameBytes(size)),
    labels: new Float32Array(batchSize * SCENES.length),
    classes: new Int32Array(batchSize),
  };
}

function clear(batch: MutableBatch, count: number): void {
  const capacity = batch.classes.length;
  batch.labels.fill(0);
  batch.classes.fill(-1);
  batch.audio.fill(0, (batch.audio.length / capacity) * count);
  batch.frames.fill(0, (batch.frames.length / capacity) * count);
}

async function openAll(clips: readonly PreparedClip[]): Promise<ClipFile[]> {
  const first = clips[0];
  if (!first) throw new Error('there is no clip to load: the split is empty');
  const files: ClipFile[] = [];
  for (const clip of clips) {
    const file = await openClipFile(clip.path);
    if (file.size !== (files[0]?.size ?? file.size)) {
      throw new Error(
        `the decoded clip ${clip.path} has pictures of ${file.size} pixels, others of ${files[0]?.size}: prepare them alike`,
      );
    }
    files.push(file);
  }
  return files;
}

/** (x / 255 - mean) / std of RGB bytes [..., 3, size, size]. */
export function normalise(frames: Uint8Array, size: number, out: Float32Array): void {
  const area = size * size;
  for (let plane = 0; plane * area < frames.length; plane++) {
    const table = NORMALISED[plane % 3] as Float32Array;
    const end = (plane + 1) * area;
    for (let i = plane * area; i < end; i++) out[i] = table[frames[i] as number] as number;
  }
}

/** The 256 normalised values of each channel. */
const NORMALISED = MEAN.map((mean, c) =>
  Float32Array.from({ length: 256 }, (_, value) => (value / 255 - mean) / (STD[c] ?? 1)),
);
