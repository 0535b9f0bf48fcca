// SpecAugment, channel confusion and mixing of features on the device, in one dispatch.

import {
  augmentFeatures as augmentKernel,
  FEATURE_WORDS,
  type FeatureShape,
} from '../../../kernels/features.ts';
import { one } from '../../../kernels/tuple.ts';
import { recordOne, type Op } from '../../../tensor/graph/op.ts';
import { formatShape, sizeAt } from '../../../tensor/graph/shape.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import { checkFloats, checkTensors } from '../../../tensor/ops/operands.ts';
import { checkMix, type RowMix } from './mix.ts';

/** Inputs features, table, then partner and ratio if rows are mixed. */
const augmentOp: Op<FeatureShape> = {
  name: 'augment features',
  lower({ geometry }, { inputs: [x, table, partner, ratio], outputs, attrs }) {
    if (x === undefined || table === undefined) throw new RangeError('augmented features need a table');
    const mix = partner === undefined || ratio === undefined ? null : { partner, ratio };
    return [augmentKernel(geometry, x, table, mix, one(outputs), attrs)];
  },
};

/**
 * Features f32 [R, C, mels, times] of a batch after channel confusion, masks and mixing, in this order: [B, C, mels, times], where B is the
 * number of partners, or R without mixing. `table` is i32 [R, C, FEATURE_WORDS] of `drawFeatureRow`. Nothing flows back. Throws a
 * RangeError that names the shapes where they do not fit, a TypeError for other types.
 */
export function augmentFeatures(features: Tensor, table: Tensor, mix: RowMix | null): Tensor {
  checkFloats('augmentFeatures', { features });
  checkTensors('augmentFeatures', { table });
  const { shape } = features;
  if (shape.length !== 4)
    throw new RangeError(
      `augmentFeatures takes features of [rows, channels, mels, times], got ${formatShape(shape)}`,
    );
  const [rows, channels, mels, times] = [0, 1, 2, 3].map((dim) => sizeAt(shape, dim)) as [
    number,
    number,
    number,
    number,
  ];
  const wanted = [rows, channels, FEATURE_WORDS];
  if (table.dtype !== 'i32' || formatShape(table.shape) !== formatShape(wanted)) {
    throw new RangeError(
      `augmentFeatures takes a table of i32 ${formatShape(wanted)}, got ${table.dtype} ${formatShape(table.shape)}`,
    );
  }
  const count = mix === null ? rows : checkMix('augmentFeatures', mix, features.recorder, rows);
  const mixing = mix === null ? [] : [mix.partner, mix.ratio];
  return recordOne(
    augmentOp,
    [features, table, ...mixing],
    { shape: [count, channels, mels, times] },
    { rows, channels, mels, times },
  );
}
