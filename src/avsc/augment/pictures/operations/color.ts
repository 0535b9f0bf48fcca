import { blendInstruction } from '../instruction.ts';
import { enhancement, ENHANCEMENT_MEANING, type PictureOperation } from '../operation.ts';

/** Blend with the grey picture. */
export const color: PictureOperation = {
  name: 'Color',
  meaning: ENHANCEMENT_MEANING,
  instruction: (context) => blendInstruction('COLOR', enhancement(context)),
};
