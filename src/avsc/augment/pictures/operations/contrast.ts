import { blendInstruction } from '../instruction.ts';
import { enhancement, ENHANCEMENT_MEANING, type PictureOperation } from '../operation.ts';

/** Blend with its mean grey. */
export const contrast: PictureOperation = {
  name: 'Contrast',
  meaning: ENHANCEMENT_MEANING,
  instruction: (context) => blendInstruction('CONTRAST', enhancement(context)),
};
