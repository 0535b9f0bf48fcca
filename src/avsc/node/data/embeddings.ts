// Embeddings of samples by a frozen extractor, computed once and cached on disk.

import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { StateDict } from '../../../nn/state.ts';
import { noGrad } from '../../../tensor/graph/autograd.ts';
import type { StepInput } from '../../../tensor/trace.ts';
import type { Device } from '../../../tensor/device.ts';
import type { TypedArray } from '../../../tensor/graph/dtype.ts';
import { packPictures } from '../../augment/pictures/pack.ts';
import { prepareFrames } from '../../augment/pictures/prepare.ts';
import type { PictureInput } from '../../features/pictures.ts';
import type { Extractor } from '../../models/extractor.ts';
import { embed, type Modality } from '../../models/joint.ts';
import { SOUND_INPUTS, type InputName } from '../../features/inputs.ts';
import { inputBytes } from './derive.ts';
import { hasEmbeddings, readEmbedding, writeEmbeddings } from './embedding-file.ts';
import { InputReader, openInput, sourcePath } from './input-source.ts';
import { settleAll } from './limit.ts';
import { removeStale, type PreparedClip } from './prepare.ts';
import { FRAMES } from './records.ts';

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
  /** Input of the extractor. */
  readonly input: InputName;
  /** Name of the architecture or preset, which distinguishes nets with the same weights. */
  readonly name: string;
  /** Size and normalization of frames. */
  readonly picture: PictureInput;
  /** Parent folder of the embeddings. */
  readonly folder: string;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** To be increased when the layout of the files or their computation changes. */
const VERSION = 2;

/** Seconds in a batch. A shorter clip has a batch of its own size. */
const BATCH = 5;

/** Clips, and batches of a clip, that may be in flight before the oldest is awaited. */
const IN_FLIGHT = 2;
const READS_IN_FLIGHT = 3;

/**
 * Embeddings of all seconds of the clips. Those missing from the cache or damaged there are computed and written.
 * The cache's key is a hash of the extractor's weights and name, of the adapter, of the normalization, and of the name of the file that
 * the input comes from, which tells its values; so cached values equal computed ones bit for bit. Embeddings are of unchanged samples: a training with augmentation
 * cannot use them. When the signal aborts, finished clips stay in the cache and the signal's reason is thrown.
 */
export async function embedClips(
  clips: readonly PreparedClip[],
  options: EmbedOptions,
): Promise<EmbeddingTable> {
  const { extractor, input, signal, onProgress } = options;
  const folder = join(options.folder, await keyOf(options));
  const features = extractor.outFeatures;
  // An extra clip with its original's pictures shares their embeddings.
  const pathOf = (clip: PreparedClip): string =>
    join(folder, `${basename(sourcePath(clip, input))}.embeddings`);
  await removeStale(folder);
  const missing: PreparedClip[] = [];
  for (const clip of new Map(clips.map((each) => [pathOf(each), each])).values()) {
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
      writing.catch(() => undefined); // The rejection is handled where `pending` is awaited.
      pending.push(writing);
      if (pending.length >= IN_FLIGHT) await pending.shift();
    }
    await Promise.all(pending);
  } finally {
    await Promise.allSettled(pending);
    await embedder.dispose();
  }
  return { features, read: (clip, second) => readEmbedding(pathOf(clip), second, features) };
}

async function keyOf({ device, part, extractor, input, name, picture }: EmbedOptions): Promise<string> {
  const adapter = device.description.name;
  const about = {
    version: VERSION,
    part,
    input,
    name,
    adapter,
    batch: BATCH,
    ...(input === 'frames' && picture),
  };
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
  /** Resolves when all batches of the clip are submitted, to a promise of the rows [seconds, features]. */
  start(clip: PreparedClip): Promise<{ readonly rows: Promise<Float32Array<ArrayBuffer>> }>;
  dispose(): Promise<void>;
}

function createEmbedder({ device, part, extractor, input, picture }: EmbedOptions): Embedder {
  const compiled = device.compile((values) => {
    extractor.eval();
    return noGrad(() => {
      const prepared = input === 'frames' ? prepareFrames(values, null, null, picture) : values;
      return embed(part, extractor, prepared);
    });
  });
  const features = extractor.outFeatures;
  const bytes = inputBytes(input, picture.size);
  const reader = new InputReader();
  return {
    start: async (clip) => {
      const source = await openInput(clip, input, picture.size);
      const rows = new Float32Array(clip.seconds * features);
      const reads: Promise<void>[] = [];
      // A batch holds seconds of one clip, so that a clip's bits do not depend on which other clips were missing.
      const size = Math.min(BATCH, clip.seconds);
      for (let from = 0; from < clip.seconds; from += size) {
        const count = Math.min(size, clip.seconds - from);
        // Padded with zeros to `size`.
        const values = new Uint8Array(size * bytes);
        await settleAll(
          Array.from({ length: count }, (_, i) =>
            reader.read(source, from + i, values.subarray(i * bytes, (i + 1) * bytes)),
          ),
        );
        const result = await compiled(stepInput(input, values, size, picture.size));
        const put = (data: TypedArray): void => rows.set(data.subarray(0, count * features), from * features);
        reads.push(result.data().then(put));
        await reads.at(-READS_IN_FLIGHT);
      }
      return { rows: Promise.all(reads).then(() => rows) };
    },
    dispose: async () => {
      compiled.dispose();
      await reader.close();
    },
  };
}

/** Bytes of `rows` samples as the input of the compiled function. */
function stepInput(input: InputName, values: Uint8Array<ArrayBuffer>, rows: number, size: number): StepInput {
  if (input !== 'frames')
    return { data: new Float32Array(values.buffer), shape: [rows, ...SOUND_INPUTS[input]] };
  const words = packPictures(values, size);
  return { data: words, shape: [rows, FRAMES, words.length / (rows * FRAMES)] };
}
