// Options that several commands share, parsers of their values, and the error of wrong usage.

import { InvalidArgumentError, Option } from 'commander';
import { PRESET_NAMES, type PresetName } from '../avsc/experiment/presets.ts';
import type { Modality } from '../avsc/models/joint.ts';
import { architecturesFor } from '../avsc/training/model.ts';
import type { Target } from '../gpu/profile.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import type { Precision } from '../tensor/graph/recording.ts';

/** The command line is wrong (exit 2), as opposed to work that failed (exit 1). */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A parser of whole numbers from `low` to `high`. */
export function whole(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(
      `It must be a whole number from ${low}${high < 2 ** 53 - 1 ? ` to ${high}` : ''}.`,
    );
  };
}

/** A parser of numbers between `low` (included or not) and `high` (excluded). */
export function numeric(low: number, high = Infinity, includeLow = false): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const above = includeLow ? value >= low : value > low;
    if (text.trim() !== '' && above && value < high) return value;
    throw new InvalidArgumentError(
      `It must be a number ${includeLow ? 'of at least' : 'above'} ${low}${high < Infinity ? ` and below ${high}` : ''}.`,
    );
  };
}

const DEVICES: readonly AdapterChoice[] = ['auto', 'gpu', 'software'];

export function deviceOption(): Option {
  return new Option('--device <kind>', 'auto takes the best adapter').choices([...DEVICES]).default('auto');
}

export const PRECISIONS: readonly Precision[] = ['f32', 'f16'];

/** Of measurements; a training's is in its experiment. */
export function precisionOption(): Option {
  return new Option('--precision <type>', 'how activations and gradients are stored')
    .choices(PRECISIONS)
    .default('f32');
}

/** Refuses what a training would take as f32, since the numbers would be those of f32. */
export function checkPrecision({ name, geometry }: Target, precision: Precision): void {
  if (precision === 'f16' && !geometry.f16)
    throw new UsageError(`${name} has no shader-f16: leave --precision out, or choose another adapter`);
}

export function presetOption(preset: PresetName): Option {
  return new Option('--preset <name>', 'nets and recipe: of the paper, or small ones')
    .choices([...PRESET_NAMES])
    .default(preset);
}

/** `--video` or `--audio`: a published net that replaces the preset's. */
export function extractorOption(part: Modality): Option {
  return new Option(`--${part} <net>`, `published net that replaces the preset's for ${part}`).choices([
    ...architecturesFor(part),
  ]);
}

export function dataOption(): Option {
  return new Option('--data <dir>', 'data set in the layout of TAU Urban Audio-Visual Scenes 2021');
}

export function cacheOption(): Option {
  return new Option('--cache <dir>', "folder of the prepared clips (default: below the user's cache folder)");
}
