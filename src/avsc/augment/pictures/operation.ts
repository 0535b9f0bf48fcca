// What a sub-policy of RandAugment is, and the two scales of its magnitude.

import { uniform, type Random } from '../../dataset/random.ts';
import type { Extent, Instruction } from './instruction.ts';

export type PictureOperationName =
  | 'TranslateX'
  | 'TranslateY'
  | 'Solarize'
  | 'ShearX'
  | 'ShearY'
  | 'Sharpness'
  | 'Rotate'
  | 'Posterize'
  | 'Invert'
  | 'Equalize'
  | 'Cutout'
  | 'Contrast'
  | 'Color'
  | 'Brightness'
  | 'AutoContrast'
  | 'Identity';

/**
 * What magnitude M = 0 .. 10 means. `original`: the scale of RandAugment's own code, whose largest level is 10 (Cubuk et al. 2020).
 * `torchvision`: that of torchvision.transforms.RandAugment, whose 31 bins M reaches by bin = round(3 M), so that torchvision's default
 * of bin 9 is M = 3. Cutout and Invert, which torchvision lacks, keep the original's.
 */
export type MagnitudeScale = 'original' | 'torchvision';

interface InstructionContext {
  /** 0 .. 10. */
  readonly magnitude: number;
  readonly scale: MagnitudeScale;
  readonly extent: Extent;
  /** Draws signs and places. */
  readonly random: Random;
}

export interface PictureOperation {
  readonly name: PictureOperationName;
  /** What magnitude M does, for lists: one phrase for each scale. */
  readonly meaning: Readonly<Record<MagnitudeScale, string>>;
  /** What the operation does to one picture. */
  instruction(context: InstructionContext): Instruction;
}

/** Largest M. */
export const MAX_MAGNITUDE = 10;

/** The original's lengths in pixels are made for pictures of this side; others scale them in proportion. */
const ORIGINAL_SIZE = 224;

/** `most * M / 10`, as the original computes it. */
export const level = ({ magnitude }: InstructionContext, most: number): number =>
  (magnitude / MAX_MAGNITUDE) * most;

/** A length of the original in whole pixels: `most` at M = 10 along a side of 224, in proportion along others. */
export const pixels = (context: InstructionContext, most: number, side: number): number =>
  Math.trunc((level(context, most) * side) / ORIGINAL_SIZE);

/** torchvision's value for M: its bin of torch.linspace(start, end, 31), which is computed in f32. */
export function bin({ magnitude }: InstructionContext, start: number, end: number): number {
  const [first, last] = [Math.fround(start), Math.fround(end)];
  const step = Math.fround(Math.fround(last - first) / (BINS - 1));
  const index = binIndex(magnitude);
  return index < BINS / 2
    ? Math.fround(first + Math.fround(step * index))
    : Math.fround(last - Math.fround(step * (BINS - 1 - index)));
}

const BINS = 31;

export const binIndex = (magnitude: number): number => Math.round(((BINS - 1) * magnitude) / MAX_MAGNITUDE);

/** `value` or its negative, each with probability 1/2. */
export const eitherWay = ({ random }: InstructionContext, value: number): number =>
  random() < 0.5 ? -value : value;

/** Factor of Color, Contrast, Brightness and Sharpness; 1 changes nothing. */
export const enhancement = (context: InstructionContext): number =>
  context.scale === 'original' ? level(context, 1.8) + 0.1 : 1 + eitherWay(context, bin(context, 0, 0.9));

export const ENHANCEMENT_MEANING = {
  original: 'factor 0.1 + 0.18 M, 1 changes nothing',
  torchvision: 'factor 1 +- 0.09 M',
} as const;

/** Shift of a translation along a side, in pixels. */
export const translation = (context: InstructionContext, side: number): number =>
  eitherWay(
    context,
    context.scale === 'original'
      ? pixels(context, 100, side)
      : Math.trunc(bin(context, 0, (150 / 331) * side)),
  );

export const TRANSLATION_MEANING = {
  original: 'by +- 10 M / 224 of the side',
  torchvision: 'by +- 4.5 M % of the side',
} as const;

export const shear = (context: InstructionContext): number =>
  eitherWay(context, context.scale === 'original' ? level(context, 0.3) : bin(context, 0, 0.3));

export const SHEAR_MEANING = {
  original: 'by +- 0.03 M pixels a pixel',
  torchvision: 'by +- 0.03 M pixels a pixel',
} as const;

export const NO_MAGNITUDE = { original: 'takes no magnitude', torchvision: 'takes no magnitude' } as const;

/** A whole number of 0 .. end - 1. */
export const below = (random: Random, end: number): number => Math.floor(uniform(random, 0, end));
