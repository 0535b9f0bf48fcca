import { blendInstruction } from '../instruction.ts';
import { enhancement, ENHANCEMENT_MEANING, type PictureOperation } from '../operation.ts';

/** Blend with the smoothed picture. */
export const sharpness: PictureOperation = {
  name: 'Sharpness',
  meaning: ENHANCEMENT_MEANING,
  instruction: (context) => blendInstruction('SHARPNESS', enhancement(context)),
};
