import { affineInstruction } from '../instruction.ts';
import { shear, SHEAR_MEANING, type PictureOperation } from '../operation.ts';

/** Rows are shifted in proportion to their number. */
export const shearX: PictureOperation = {
  name: 'ShearX',
  meaning: SHEAR_MEANING,
  instruction: (context) => affineInstruction([1, shear(context), 0, 0, 1, 0], context.extent),
};
