// Offline operations on recordings, which make more data of a training set (paper, section on audio augmentation).

import { mix } from './operations/mix.ts';
import { noise } from './operations/noise.ts';
import { pitch } from './operations/pitch.ts';
import { stretch } from './operations/stretch.ts';
import type { SoundOperation } from './operation.ts';

/** Every file of operations/, by its name. */
export const SOUND_OPERATIONS = { pitch, stretch, noise, mix } satisfies Readonly<
  Record<string, SoundOperation>
>;

export type SoundOperationName = keyof typeof SOUND_OPERATIONS;

export const SOUND_OPERATION_NAMES = Object.keys(SOUND_OPERATIONS) as readonly SoundOperationName[];
