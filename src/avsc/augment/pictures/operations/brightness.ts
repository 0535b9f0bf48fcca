import { blendInstruction } from '../instruction.ts';
import { enhancement, ENHANCEMENT_MEANING, type PictureOperation } from '../operation.ts';

/** Blend with black. */
export const brightness: PictureOperation = {
  name: 'Brightness',
  meaning: ENHANCEMENT_MEANING,
  instruction: (context) => blendInstruction('BRIGHTNESS', enhancement(context)),
};
