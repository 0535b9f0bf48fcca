// What a frozen extractor makes of each sample, computed once and kept on disk.

import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { noGrad } from '../../../tensor/graph/autograd.ts';
import type { StepInput } from '../../../tensor/compile.ts';
import type { Device } from '../../../tensor/device.ts';
import type { TypedArray } from '../../../tensor/graph/tensor.ts';
import { normalisePictures, type PictureInput } from '../../features/pictures.ts';
import { embed, type Extractor, type Modality } from '../../models/joint.ts';
import { inputsOf } from '../../training/model.ts';
import { AUDIO_VALUES, frameBytes, openClipFile, readSecond, type ClipFile } from './clip-file.ts';
import { hasEmbeddings, readEmbedding, writeEmbeddings } from './embedding-file.ts';
import { removeStale, type PreparedClip } from './prepare.ts';

/** Embeddings of the samples of some clips. */
export interface EmbeddingTable {
  /** Values of one embedding. */
  readonly features: number;
  read(clip: PreparedClip, second: number): Promise<Float32Array>;
}

interface EmbedOptions {
  readonly device: Device;
  readonly part: Modality;
  /** On the device; it is put into evaluation mode. */
  readonly extractor: Extractor;
  /** What tells nets with the same weights apart: an architecture's name, a preset's. */
  readonly name: string;
  readonly picture: PictureInput;
  /** The embeddings lie below it. */
  readonly folder: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Raised when the layout of the files or the way they are computed changes. */
const VERSION = 1;

/** Seconds that are embedded at once; a clip of fewer has a batch of its own size. */
const BATCH = 5;

/** Clips, and batches of a clip, whose results may be under way before the oldest is awaited. */
const IN_FLIGHT = 2;
const READS_IN_FLIGHT = 3;

/**
 * Embeddings of all seconds of the clips, out of the cache where they are there and whole; the others are computed and kept.
 * The cache's key is made from the extractor's weights and name, the adapter, and the decoded clip's own key (files, size), so
 * that what is found is bit by bit what would be computed. They are of samples as they are: a training that changes its
 * samples, by augmentation, cannot use them. Clips done stay when the signal stops it; throws the signal's reason.
 */
export async function embedClips(
  clips: readonly PreparedClip[],
  options: EmbedOptions,
): Promise<EmbeddingTable> {
  const { extractor, signal, onProgress } = options;
  const folder = join(options.folder, await keyOf(options));
  const features = extractor.outFeatures;
  const pathOf = (clip: PreparedClip): string => join(folder, `${basename(clip.path, '.clip')}.embeddings`);
  await removeStale(folder);
  const missing: PreparedClip[] = [];
  for (const clip of clips) {
    signal?.throwIfAborted();
    if (!(await hasEmbeddings(pathOf(clip), clip.seconds, features))) missing.push(clip);
  }
  const total = missing.reduce((sum, { seconds }) => sum + seconds, 0);
  let done = 0;
  const pending: Promise<void>[] = [];
  const embedder = createEmbedder(options);
  try {
    for (const clip of missing) {
      signal?.throwIfAborted();
      const { rows } = await embedder.start(clip);
      const write = async (): Promise<void> => {
        await writeEmbeddings(pathOf(clip), await rows, clip.seconds);
        onProgress?.((done += clip.seconds), total);
      };
      const writing = write();
      writing.catch(() => undefined); // awaited in its turn
      pending.push(writing);
      if (pending.length >= IN_FLIGHT) await pending.shift();
    }
    await Promise.all(pending);
  } finally {
    await Promise.allSettled(pending);
    embedder.dispose();
  }
  return { features, read: (clip, second) => readEmbedding(pathOf(clip), second, features) };
}

async function keyOf({ device, part, extractor, name }: EmbedOptions): Promise<string> {
  const about = { version: VERSION, part, name, adapter: device.description.name, batch: BATCH };
  const hash = createHash('sha256').update(JSON.stringify(about));
  hashState(hash, await extractor.stateDict());
  return `${name}-${hash.digest('hex').slice(0, 20)}`;
}

function hashState(hash: ReturnType<typeof createHash>, state: StateDict): void {
  for (const [name, { shape, data }] of state) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
}

interface Embedder {
  /** Resolves when all of the clip is on its way to the device, to a promise of the rows [seconds, features]. */
  start(clip: PreparedClip): Promise<{ readonly rows: Promise<Float32Array<ArrayBuffer>> }>;
  dispose(): void;
}

function createEmbedder({ device, part, extractor, picture }: EmbedOptions): Embedder {
  const compiled = device.compile((input) => {
    extractor.eval();
    return noGrad(() => embed(part, extractor, input));
  });
  const features = extractor.outFeatures;
  return {
    start: async (clip) => {
      const file = await openClipFile(clip.path);
      const rows = new Float32Array(file.seconds * features);
      const reads: Promise<void>[] = [];
      // Batches never mix clips, so that a clip's bits do not depend on which other clips were missing.
      const size = Math.min(BATCH, file.seconds);
      for (let from = 0; from < file.seconds; from += size) {
        const count = Math.min(size, file.seconds - from);
        const result = await compiled(await readInput(file, part, picture, from, count, size));
        const put = (data: TypedArray): void => rows.set(data.subarray(0, count * features), from * features);
        reads.push(result.data().then(put));
        await reads.at(-READS_IN_FLIGHT);
      }
      return { rows: Promise.all(reads).then(() => rows) };
    },
    dispose: () => compiled.dispose(),
  };
}

/** Seconds [from, from + count) as the extractor's input, filled up with zeros to `size`. */
async function readInput(
  file: ClipFile,
  part: Modality,
  picture: PictureInput,
  from: number,
  count: number,
  size: number,
): Promise<StepInput> {
  const bytes = frameBytes(file.size);
  const audio = new Float32Array(part === 'audio' ? size * AUDIO_VALUES : 0);
  const frames = new Float32Array(part === 'video' ? size * bytes : 0);
  for (let i = 0; i < count; i++) {
    const second = await readSecond(file, from + i);
    if (part === 'audio') audio.set(second.audio, i * AUDIO_VALUES);
    else normalisePictures(second.frames, file.size, picture, frames.subarray(i * bytes, (i + 1) * bytes));
  }
  const [input] = inputsOf(part, { audio, frames }, size);
  return input as StepInput;
}
