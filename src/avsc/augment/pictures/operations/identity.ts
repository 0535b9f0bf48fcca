import { IDENTITY } from '../instruction.ts';
import { NO_MAGNITUDE, type PictureOperation } from '../operation.ts';

/** The picture as it is. */
export const identity: PictureOperation = {
  name: 'Identity',
  meaning: NO_MAGNITUDE,
  instruction: () => IDENTITY,
};
