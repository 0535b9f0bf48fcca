// Batches of one-second samples from the prepared clips, read ahead so that the device does not wait.

import { SCENES } from '../../dataset/scenes.ts';
import { permutation, randomStream } from '../../dataset/random.ts';
import type { InputName, SoundInputName } from '../../features/inputs.ts';
import { MODALITIES, type Modality } from '../../models/joint.ts';
import { inputBytes } from './derive.ts';
import type { EmbeddingTable } from './embeddings.ts';
import { InputReader, openInput, sourcePath, type InputSource } from './input-source.ts';
import { FILES_AT_ONCE, mapLimited, settleAll } from './limit.ts';
import { drawMix, partnerRows, type Mixup, type SampleMix } from '../../augment/mixup.ts';
import type { PreparedClip } from './prepare.ts';

export { partnerRows };

/** One second of one clip. */
export interface Sample {
  readonly clip: PreparedClip;
  readonly second: number;
  /** u32 hash of the clip's name and the second: the key of the sample's random numbers. */
  readonly key: number;
}

/** B samples in the first rows, then the M partners that they are mixed with. */
interface BatchRows {
  /** Inputs [B + M, ...] by name: sound f32, frames RGB bytes [B + M, 2, 3, S, S], which begin a buffer of their own. */
  readonly inputs: Readonly<Partial<Record<SoundInputName, Float32Array<ArrayBuffer>>>> & {
    readonly frames?: Uint8Array<ArrayBuffer>;
  };
  /** Embeddings [B + M, features] of the modalities whose source is an EmbeddingTable. */
  readonly embeddings: Readonly<Partial<Record<Modality, Float32Array<ArrayBuffer>>>>;
}

/** One batch. The arrays are reused: they are valid until the next batch is requested. */
export interface Batch extends BatchRows {
  readonly epoch: number;
  /** Index within the epoch. */
  readonly step: number;
  /** Number of samples. The rest of the B rows is zeros, which only occurs in the last batch of an evaluation. */
  readonly count: number;
  /** B + M. */
  readonly rows: number;
  /** Soft labels [B, classes], mixed already; zeros if a clip has no label. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** Class indices [B] of the samples themselves; -1 if a clip has no label. */
  readonly classes: Int32Array<ArrayBuffer>;
  /** The `count` samples, in order. */
  readonly samples: readonly Sample[];
  /** The sample in each of the B + M rows; null for a row of zeros: padding, or a partner's row that is not used. */
  readonly rowSamples: readonly (Sample | null)[];
  /** Row of the partner of each of the B samples, its own if it is not mixed, and its own share in the mix; null without mixup. */
  readonly mix: {
    readonly partner: Int32Array<ArrayBuffer>;
    readonly ratio: Float32Array<ArrayBuffer>;
  } | null;
}

/** Contents of a batch for one modality: an input of its net, embeddings, or nothing. */
type Source = InputName | 'nothing' | EmbeddingTable;

export type Sources = Readonly<Record<Modality, Source>>;

export interface LoaderOptions {
  readonly batchSize: number;
  /** Shuffles the samples each epoch from the seed. Default: the order of the clips, for evaluation. */
  readonly shuffle?: { readonly seed: number };
  /** Whether an incomplete last batch is dropped (default when shuffling) or padded with zeros. */
  readonly dropLast?: boolean;
  /** Batches read ahead. Default 2. Memory: (readAhead + 1) * rows * (120 kB for log-mel + 6 * size^2 bytes for frames). */
  readonly readAhead?: number;
  readonly sources: Sources;
  /** Side of frames in pixels; needed where frames are read. */
  readonly size?: number;
  /** Mixes a share of the samples with any samples of the clips. Needs `shuffle`, whose seed decides which. */
  readonly mixup?: Mixup;
  /** Takes the first samples of each epoch's order only, for short runs. */
  readonly maxSamples?: number;
  /** Number of scenes, of which the labels are. Default: 10. */
  readonly classes?: number;
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
 * A loader over prepared clips. It keeps no clip in memory, so the data set may be larger than memory.
 * Opens the files of every clip once to check their headers. Throws if one is missing, damaged or not prepared for its input, if the set
 * is empty or smaller than one batch that may not be padded, or if an option is out of range.
 */
export async function createLoader(clips: readonly PreparedClip[], options: LoaderOptions): Promise<Loader> {
  const { batchSize, shuffle, dropLast = shuffle !== undefined, readAhead = 2, sources, mixup } = options;
  const { maxSamples = Infinity, size = 0, classes = SCENES.length } = options;
  checkOptions(options);
  if (clips.length === 0) throw new Error('there is no clip to load: the split is empty');
  const odd = clips.find(({ label }) => label !== undefined && label >= classes);
  if (odd !== undefined)
    throw new RangeError(`${odd.name} has the label ${odd.label}, there are ${classes} scenes`);
  const samples = clips.flatMap((clip) =>
    Array.from({ length: clip.seconds }, (_, second) => sampleOf(clip, second)),
  );
  const count = Math.min(samples.length, maxSamples);
  const steps = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  if (steps === 0) {
    throw new Error(
      `${count} samples do not fill one batch of ${batchSize}: take a smaller batch or more clips`,
    );
  }
  const rows = batchSize + (mixup ? partnerRows(batchSize, mixup.share) : 0);
  const tracks = await Promise.all(
    MODALITIES.flatMap((part) => {
      const source = sources[part];
      return typeof source === 'string' && source !== 'nothing' ? [openTrack(clips, source, size)] : [];
    }),
  );

  const fill = async (
    buffers: Buffers,
    reader: InputReader,
    order: Uint32Array,
    epoch: number,
    step: number,
  ): Promise<Batch> => {
    const first = step * batchSize;
    const own = [...order.subarray(first, Math.min(first + batchSize, count))].map(
      (index) => samples[index] as Sample,
    );
    const rowSamples = Array.from({ length: rows }, (_, row) => own[row] ?? null);
    const mixes = own.map((sample, slot): SampleMix | null =>
      mixup && shuffle ? drawMix(mixup, first + slot, shuffle.seed, epoch, sample.key, samples.length) : null,
    );
    let row = batchSize;
    buffers.mix?.partner.forEach((_, slot, partner) => (partner[slot] = slot));
    buffers.mix?.ratio.fill(1);
    mixes.forEach((mix, slot) => {
      if (mix === null || buffers.mix === null) return;
      rowSamples[row] = samples[mix.partner] as Sample;
      buffers.mix.partner[slot] = row++;
      buffers.mix.ratio[slot] = mix.ratio;
    });
    setLabels(buffers, own, rowSamples, classes);
    await Promise.all(rowSamples.map((sample, at) => fillRow(buffers, reader, tracks, sources, sample, at)));
    return { ...buffers, epoch, step, count: own.length, rows, samples: own, rowSamples };
  };

  return {
    sampleCount: count,
    steps,
    async *batches(epoch, from = 0) {
      const order = shuffle
        ? permutation(samples.length, randomStream(shuffle.seed, epoch, 'order'))
        : Uint32Array.from(samples, (_, i) => i);
      const reader = new InputReader();
      const ring = Array.from({ length: readAhead + 1 }, () =>
        emptyBuffers(batchSize, rows, tracks, sources, { mixed: mixup !== undefined, classes }),
      );
      const pending: Promise<Batch>[] = [];
      const start = (step: number): void => {
        if (step >= steps) return;
        const filling = fill(ring[step % ring.length] as Buffers, reader, order, epoch, step);
        // A failure is thrown when its batch is awaited; until then it must not count as unhandled.
        filling.catch(() => undefined);
        pending.push(filling);
      };
      try {
        for (let step = from; step < from + readAhead; step++) start(step);
        for (let step = from; step < steps; step++) {
          start(step + readAhead);
          yield await (pending.shift() as Promise<Batch>);
        }
      } finally {
        await Promise.allSettled(pending);
        await reader.close();
      }
    },
  };
}

function checkOptions({ batchSize, shuffle, sources, size, mixup, maxSamples }: LoaderOptions): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new Error(`the batch size must be an integer of at least 1, got ${batchSize}`);
  }
  if (maxSamples !== undefined && (!Number.isInteger(maxSamples) || maxSamples < 1)) {
    throw new Error(`the number of samples must be an integer of at least 1, got ${maxSamples}`);
  }
  if (Object.values(sources).includes('frames') && size === undefined) {
    throw new Error('frames need a size in pixels');
  }
  if (mixup && !shuffle) throw new Error('mixup needs a shuffled order and its seed');
  if (mixup && !(mixup.share >= 0 && mixup.share <= 1)) {
    throw new Error(`the share of mixed samples must be from 0 to 1, got ${mixup.share}`);
  }
}

function sampleOf(clip: PreparedClip, second: number): Sample {
  return { clip, second, key: Math.floor(randomStream(`${clip.name}/${second}`)() * 2 ** 32) };
}

/** One input of all clips. */
interface Track {
  readonly input: InputName;
  /** Bytes of one sample. */
  readonly bytes: number;
  readonly sources: ReadonlyMap<PreparedClip, InputSource>;
}

async function openTrack(clips: readonly PreparedClip[], input: InputName, size: number): Promise<Track> {
  // An extra clip has the pictures of its original, whose file is opened once.
  const opened = new Map<string, Promise<InputSource>>();
  const sources = await mapLimited(clips, FILES_AT_ONCE, async (clip) => {
    const path = sourcePath(clip, input);
    const opening = opened.get(path) ?? openInput(clip, input, size);
    opened.set(path, opening);
    const source = await opening;
    return [clip, source] as const;
  });
  return { input, bytes: inputBytes(input, size), sources: new Map(sources) };
}

type Buffers = Pick<Batch, 'inputs' | 'embeddings' | 'labels' | 'classes' | 'mix'>;

function emptyBuffers(
  batchSize: number,
  rows: number,
  tracks: readonly Track[],
  sources: Sources,
  { mixed, classes }: { readonly mixed: boolean; readonly classes: number },
): Buffers {
  const embeddings = MODALITIES.flatMap((part): [Modality, Float32Array<ArrayBuffer>][] => {
    const table = sources[part];
    return typeof table === 'object' ? [[part, new Float32Array(rows * table.features)]] : [];
  });
  const inputs = tracks.map(({ input, bytes }) => [
    input,
    input === 'frames' ? new Uint8Array(rows * bytes) : new Float32Array((rows * bytes) / 4),
  ]);
  return {
    inputs: Object.fromEntries(inputs) as Batch['inputs'],
    embeddings: Object.fromEntries(embeddings),
    labels: new Float32Array(batchSize * classes),
    classes: new Int32Array(batchSize),
    mix: mixed ? { partner: new Int32Array(batchSize), ratio: new Float32Array(batchSize) } : null,
  };
}

/** One row of every array: the sample's, or zeros. */
async function fillRow(
  { inputs, embeddings }: Buffers,
  reader: InputReader,
  tracks: readonly Track[],
  sources: Sources,
  sample: Sample | null,
  row: number,
): Promise<void> {
  const reads = tracks.map(async ({ input, bytes, sources: files }) => {
    const { buffer } = inputs[input] as Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
    const out = new Uint8Array(buffer, row * bytes, bytes);
    if (sample === null) out.fill(0);
    else await reader.read(files.get(sample.clip) as InputSource, sample.second, out);
  });
  const rows = MODALITIES.map(async (part) => {
    const table = sources[part];
    const out = embeddings[part];
    if (typeof table !== 'object' || !out) return;
    const at = row * table.features;
    if (sample === null) out.fill(0, at, at + table.features);
    else out.set(await table.read(sample.clip, sample.second), at);
  });
  await settleAll([...reads, ...rows]);
}

function setLabels(
  { labels, classes, mix }: Buffers,
  own: readonly Sample[],
  rowSamples: readonly (Sample | null)[],
  classCount: number,
): void {
  labels.fill(0);
  classes.fill(-1);
  own.forEach(({ clip }, slot) => {
    if (clip.label === undefined) return;
    classes[slot] = clip.label;
    const ratio = mix?.ratio[slot] ?? 1;
    const partner = rowSamples[mix?.partner[slot] ?? slot]?.clip.label;
    const at = slot * classCount;
    labels[at + clip.label] = ratio;
    if (partner !== undefined) labels[at + partner] = (labels[at + partner] ?? 0) + 1 - ratio;
  });
}
