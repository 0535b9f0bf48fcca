// All sub-policies, in the order of the paper's Table 2. A test compares this list with the folder.

import type { PictureOperation, PictureOperationName } from '../operation.ts';
import { autoContrast } from './auto-contrast.ts';
import { brightness } from './brightness.ts';
import { color } from './color.ts';
import { contrast } from './contrast.ts';
import { cutout } from './cutout.ts';
import { equalize } from './equalize.ts';
import { identity } from './identity.ts';
import { invert } from './invert.ts';
import { posterize } from './posterize.ts';
import { rotate } from './rotate.ts';
import { sharpness } from './sharpness.ts';
import { shearX } from './shear-x.ts';
import { shearY } from './shear-y.ts';
import { solarize } from './solarize.ts';
import { translateX } from './translate-x.ts';
import { translateY } from './translate-y.ts';

export const PICTURE_OPERATIONS: readonly PictureOperation[] = [
  translateX,
  translateY,
  solarize,
  shearX,
  shearY,
  sharpness,
  rotate,
  posterize,
  invert,
  equalize,
  cutout,
  contrast,
  color,
  brightness,
  autoContrast,
  identity,
];

const byName = new Map<string, PictureOperation>(
  PICTURE_OPERATIONS.map((operation) => [operation.name, operation]),
);

/** Throws a RangeError for another name. */
export function pictureOperation(name: PictureOperationName): PictureOperation {
  const operation = byName.get(name);
  if (operation === undefined)
    throw new RangeError(`no picture operation '${name}': there are ${[...byName.keys()].join(', ')}`);
  return operation;
}
