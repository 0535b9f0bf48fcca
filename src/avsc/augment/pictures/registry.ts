// All sub-policies, in the order of the paper's Table 2. A test compares this list with the folder.

import type { PictureOperation, PictureOperationName } from './operation.ts';
import { autoContrast } from './operations/auto-contrast.ts';
import { brightness } from './operations/brightness.ts';
import { color } from './operations/color.ts';
import { contrast } from './operations/contrast.ts';
import { cutout } from './operations/cutout.ts';
import { equalize } from './operations/equalize.ts';
import { identity } from './operations/identity.ts';
import { invert } from './operations/invert.ts';
import { posterize } from './operations/posterize.ts';
import { rotate } from './operations/rotate.ts';
import { sharpness } from './operations/sharpness.ts';
import { shearX } from './operations/shear-x.ts';
import { shearY } from './operations/shear-y.ts';
import { solarize } from './operations/solarize.ts';
import { translateX } from './operations/translate-x.ts';
import { translateY } from './operations/translate-y.ts';

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
