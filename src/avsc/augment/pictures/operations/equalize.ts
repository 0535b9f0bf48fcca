import { instructionOf } from '../instruction.ts';
import { NO_MAGNITUDE, type PictureOperation } from '../operation.ts';

/** Each channel's histogram is made even. */
export const equalize: PictureOperation = {
  name: 'Equalize',
  meaning: NO_MAGNITUDE,
  instruction: () => instructionOf('EQUALIZE'),
};
