// The batches of a training on seconds that are in memory: their order, and which are mixed.

import { drawMix, partnerRows } from '../../augment/mixup.ts';
import { permutation, randomStream } from '../../dataset/random.ts';
import type { Mixup } from '../../experiment/augmentation.ts';

/** A standardized second. */
export interface Row {
  /** [features], by the epoch: augmented versions differ. */
  readonly versions: readonly Float32Array<ArrayBuffer>[];
  readonly label: number;
  readonly key: number;
}

interface TeachBatch {
  /** [B + M, features]: the seconds, then those that they are mixed with. */
  readonly rows: Float32Array<ArrayBuffer>;
  /** Soft labels [B, classes], mixed already. */
  readonly labels: Float32Array<ArrayBuffer>;
  /** Row that each of the B seconds is mixed with, and its own share; null if nothing is mixed. */
  readonly mix: {
    readonly partner: Int32Array<ArrayBuffer>;
    readonly ratio: Float32Array<ArrayBuffer>;
  } | null;
}

interface BatchOptions {
  readonly seed: number;
  readonly batchSize: number;
  readonly classes: number;
  readonly mixup: Mixup | null;
}

/** Rows of a batch with those of partners. */
export const rowsOf = ({ batchSize, mixup }: Pick<BatchOptions, 'batchSize' | 'mixup'>): number =>
  batchSize + (mixup === null ? 0 : partnerRows(batchSize, mixup.share));

/** The batch of step `step`, from 0. Batches run on over the epochs, each of which has all rows in an order of its own. */
export function batchAt(
  all: readonly Row[],
  step: number,
  { seed, batchSize, classes, mixup }: BatchOptions,
): TeachBatch {
  const features = all[0]?.versions[0]?.length ?? 0;
  const total = rowsOf({ batchSize, mixup });
  const rows = new Float32Array(total * features);
  const labels = new Float32Array(batchSize * classes);
  const partner = Int32Array.from({ length: batchSize }, (_, slot) => slot);
  const ratio = new Float32Array(batchSize).fill(1);
  const orders = new Map<number, Uint32Array>();
  let next = batchSize;
  for (let slot = 0; slot < batchSize; slot++) {
    const position = step * batchSize + slot;
    const epoch = Math.floor(position / all.length);
    const order = orders.get(epoch) ?? permutation(all.length, randomStream(seed, epoch, 'order'));
    orders.set(epoch, order);
    const own = all[order[position % all.length] ?? 0];
    if (own === undefined) throw new RangeError('there are no rows to learn');
    rows.set(versionAt(own, epoch), slot * features);
    const mix = mixup && drawMix(mixup, position, seed, epoch, own.key, all.length);
    const share = Math.fround(mix?.ratio ?? 1);
    const at = slot * classes;
    labels[at + own.label] = share;
    const other = mix && all[mix.partner];
    if (!other) continue;
    rows.set(versionAt(other, epoch), next * features);
    labels[at + other.label] = (labels[at + other.label] ?? 0) + 1 - share;
    ratio[slot] = share;
    partner[slot] = next++;
  }
  return { rows, labels, mix: mixup && { partner, ratio } };
}

function versionAt({ versions }: Row, epoch: number): Float32Array {
  const version = versions[epoch % versions.length];
  if (version === undefined) throw new RangeError('a second has no embedding');
  return version;
}
