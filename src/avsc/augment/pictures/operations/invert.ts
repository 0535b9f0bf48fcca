import { instructionOf } from '../instruction.ts';
import { NO_MAGNITUDE, type PictureOperation } from '../operation.ts';

/** 255 minus each byte. */
export const invert: PictureOperation = {
  name: 'Invert',
  meaning: NO_MAGNITUDE,
  instruction: () => instructionOf('INVERT'),
};
