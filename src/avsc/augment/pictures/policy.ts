// RandAugment (Cubuk et al. 2020): operations drawn at random for each picture, as programs for the kernels.

import { INSTRUCTION_WORDS } from '../../../kernels/pictures.ts';
import type { Random } from '../../dataset/random.ts';
import { extentOf, IDENTITY, type Extent } from './instruction.ts';
import { below, MAX_MAGNITUDE, type MagnitudeScale, type PictureOperationName } from './operation.ts';
import { pictureOperation } from './registry.ts';

export interface PicturePolicy {
  /** Drawn from uniformly. */
  readonly operations: readonly PictureOperationName[];
  /** Operations in sequence, each drawn by itself. */
  readonly count: number;
  /** M, 0 .. 10. */
  readonly magnitude: number;
  /** Of an operation that was drawn; otherwise it is the identity. */
  readonly probability: number;
  readonly scale: MagnitudeScale;
}

/** The paper's final policy: two operations that help, or do not harm, each by itself. */
export const PAPER_PICTURES: PicturePolicy = {
  operations: ['Sharpness', 'Contrast', 'Identity'],
  count: 2,
  magnitude: 9,
  probability: 1,
  scale: 'original',
};

/** A row of the paper's Table 2: one operation alone, half of the time. */
export const singleOperation = (name: PictureOperationName): PicturePolicy => ({
  operations: [name],
  count: 1,
  magnitude: 9,
  probability: 0.5,
  scale: 'original',
});

/**
 * What happens to one picture of `size` pixels: `policy.count` instructions, i32 [count, INSTRUCTION_WORDS]. Throws a RangeError for a
 * policy that cannot be.
 */
export function drawProgram(policy: PicturePolicy, size: number, random: Random): Int32Array<ArrayBuffer> {
  checkPicturePolicy(policy);
  const { operations, count, magnitude, probability, scale } = policy;
  const program = new Int32Array(count * INSTRUCTION_WORDS);
  const extent = extentOf(size);
  for (let slot = 0; slot < count; slot++) {
    const name = operations[below(random, operations.length)];
    const drawn = random() < probability;
    const instruction =
      drawn && name !== undefined
        ? pictureOperation(name).instruction({ magnitude, scale, extent, random })
        : IDENTITY;
    program.set(instruction, slot * INSTRUCTION_WORDS);
  }
  return program;
}

/**
 * One operation at a magnitude, i32 [1, INSTRUCTION_WORDS]; `random` draws its sign or place. A number as size is the side of a square.
 */
export function operationProgram(
  name: PictureOperationName,
  magnitude: number,
  scale: MagnitudeScale,
  size: number | Extent,
  random: Random,
): Int32Array<ArrayBuffer> {
  const policy = { operations: [name], count: 1, magnitude, probability: 1, scale };
  checkPicturePolicy(policy);
  return pictureOperation(name)
    .instruction({ magnitude, scale, extent: extentOf(size), random })
    .slice();
}

/** Throws a RangeError that names the value where no picture can be drawn by the policy. */
function checkPicturePolicy({ operations, count, magnitude, probability }: PicturePolicy): void {
  if (!Number.isInteger(count) || count < 0 || count > MAX_COUNT)
    throw new RangeError(`a policy applies 0 to ${MAX_COUNT} operations to a picture, got ${count}`);
  if (operations.length === 0 && count > 0)
    throw new RangeError(`a policy needs operations to draw ${count} of them from`);
  operations.forEach(pictureOperation);
  if (!(magnitude >= 0 && magnitude <= MAX_MAGNITUDE))
    throw new RangeError(`a magnitude is a number of 0 to ${MAX_MAGNITUDE}, got ${magnitude}`);
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`a probability is a number of 0 to 1, got ${probability}`);
}

/** Each operation is two dispatches and a copy of all pictures. */
const MAX_COUNT = 16;
