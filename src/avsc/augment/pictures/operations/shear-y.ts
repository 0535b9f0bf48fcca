import { affineInstruction } from '../instruction.ts';
import { shear, SHEAR_MEANING, type PictureOperation } from '../operation.ts';

/** Columns are shifted in proportion to their number. */
export const shearY: PictureOperation = {
  name: 'ShearY',
  meaning: SHEAR_MEANING,
  instruction: (context) => affineInstruction([1, 0, 0, shear(context), 1, 0], context.extent),
};
