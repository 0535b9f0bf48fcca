// Batches of one-second samples from the decoded clips, read ahead so that the device does not wait.

import { SCENES } from '../../dataset/scenes.ts';
import { permutation, randomStream } from '../../dataset/random.ts';
import { normalisePictures, type PictureInput } from '../../features/pictures.ts';
import { MODALITIES, type Modality } from '../../models/joint.ts';
import { IMAGENET_INPUT } from '../../weights/architectures.ts';
import { AUDIO_VALUES, frameBytes, openClipFile, readSecond, type ClipFile } from './clip-file.ts';
import type { EmbeddingTable } from './embeddings.ts';
import type { PreparedClip } from './prepare.ts';

/** One second of one clip. */
export interface Sample {
  readonly clip: PreparedClip;
  readonly second: number;
}

/**
 * One batch of B samples. The arrays are reused: they are valid until the next batch is requested.
 */
export interface Batch {
  /** Index within the epoch. */
  readonly step: number;
  /** Number of samples. The remaining rows up to B are zeros, which only occurs in the last batch of an evaluation. */
  readonly count: number;
  /** Log-mel features [B, 6, 128, 39]; empty if they are not read. */
  readonly audio: Float32Array<ArrayBuffer>;
  /** Normalised RGB pictures [B, 2, 3, size, size]; empty if they are not read. */
  readonly frames: Float32Array<ArrayBuffer>;
  /** Embeddings [B, features] of the modalities whose source is an EmbeddingTable. */
  readonly embeddings: Readonly<Partial<Record<Modality, Float32Array<ArrayBuffer>>>>;
  /** One-hot labels [B, 10]; zeros if a clip has no label. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** Class indices [B]; -1 if a clip has no label. */
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

/** Contents of a batch for one modality: the input of its extractor, its embeddings, or nothing. */
type Source = 'input' | 'nothing' | EmbeddingTable;

export type Sources = Readonly<Record<Modality, Source>>;

interface LoaderOptions {
  readonly batchSize: number;
  /** Shuffles the samples each epoch from the seed. Default: the order of the clips, for evaluation. */
  readonly shuffle?: { readonly seed: number };
  /** Whether an incomplete last batch is dropped (default when shuffling) or padded with zeros. */
  readonly dropLast?: boolean;
  /** Batches read ahead. Default 2. Memory: (readAhead + 1) * batchSize * (120 kB + 24 * size^2 bytes). */
  readonly readAhead?: number;
  /** Default: the inputs of both modalities. */
  readonly sources?: Sources;
  /** Normalisation of pictures. Default: ImageNet's mean and standard deviation. */
  readonly picture?: Pick<PictureInput, 'mean' | 'std'>;
  /** Augmentation of single samples, which excludes embeddings. Its `key` names epoch and sample, so that a resumed run repeats it. */
  readonly transform?: SampleTransform;
}

export interface Loader {
  /** Samples of one epoch, including dropped ones. */
  readonly sampleCount: number;
  /** Batches of one epoch. */
  readonly steps: number;
  /** The batches of an epoch from step `from` on. The same (seed, epoch, step) always gives the same batch. */
  batches(epoch: number, from?: number): AsyncGenerator<Batch, void, undefined>;
}

/**
 * A loader over decoded clips. It keeps no clip in memory, so the data set may be larger than memory.
 * Opens every clip once to check its header. Throws if a clip is missing, damaged or of another size, if the set is empty
 * or smaller than one batch that may not be padded, or if `transform` is combined with embeddings.
 */
export async function createLoader(clips: readonly PreparedClip[], options: LoaderOptions): Promise<Loader> {
  const { batchSize, shuffle, dropLast = shuffle !== undefined, readAhead = 2 } = options;
  const { sources = INPUTS, picture = IMAGENET_INPUT } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new Error(`the batch size must be an integer of at least 1, got ${batchSize}`);
  }
  if (options.transform && MODALITIES.some((part) => typeof sources[part] === 'object')) {
    throw new Error('samples whose embeddings are read cannot be transformed');
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
        if (MODALITIES.some((part) => sources[part] === 'input')) {
          const { audio, frames } = await readSecond(fileOf.get(clip) as ClipFile, second);
          options.transform?.(audio, frames, { epoch, index });
          const bytes = frames.length;
          if (sources.audio === 'input') batch.audio.set(audio, slot * AUDIO_VALUES);
          if (sources.video === 'input')
            normalisePictures(frames, size, picture, batch.frames.subarray(slot * bytes, (slot + 1) * bytes));
        }
        for (const part of MODALITIES) {
          const table = sources[part];
          if (typeof table === 'object')
            batch.embeddings[part]?.set(await table.read(clip, second), slot * table.features);
        }
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
      const ring = Array.from({ length: readAhead + 1 }, () => emptyBatch(batchSize, size, sources));
      const pending: Promise<Batch>[] = [];
      const start = (step: number): void => {
        if (step >= steps) return;
        const filling = fill(ring[step % ring.length] as MutableBatch, order, epoch, step);
        // A failure is thrown when its batch is awaited; until then it must not count as unhandled.
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

const INPUTS: Sources = { audio: 'input', video: 'input' };

type MutableBatch = Pick<Batch, 'audio' | 'frames' | 'embeddings' | 'labels' | 'classes'>;

function emptyBatch(batchSize: number, size: number, sources: Sources): MutableBatch {
  const embeddings = MODALITIES.flatMap((part): [Modality, Float32Array<ArrayBuffer>][] => {
    const table = sources[part];
    return typeof table === 'object' ? [[part, new Float32Array(batchSize * table.features)]] : [];
  });
  return {
    audio: new Float32Array(sources.audio === 'input' ? batchSize * AUDIO_VALUES : 0),
    frames: new Float32Array(sources.video === 'input' ? batchSize * frameBytes(size) : 0),
    embeddings: Object.fromEntries(embeddings),
    labels: new Float32Array(batchSize * SCENES.length),
    classes: new Int32Array(batchSize),
  };
}

function clear(batch: MutableBatch, count: number): void {
  const capacity = batch.classes.length;
  batch.labels.fill(0);
  batch.classes.fill(-1);
  for (const values of [batch.audio, batch.frames, ...Object.values(batch.embeddings)])
    values.fill(0, (values.length / capacity) * count);
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
