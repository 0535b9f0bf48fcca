import { instructionOf } from '../instruction.ts';
import { NO_MAGNITUDE, type PictureOperation } from '../operation.ts';

/** Each channel is stretched to 0 .. 255. */
export const autoContrast: PictureOperation = {
  name: 'AutoContrast',
  meaning: NO_MAGNITUDE,
  instruction: () => instructionOf('AUTO_CONTRAST'),
};
