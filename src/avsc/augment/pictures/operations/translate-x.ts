import { affineInstruction } from '../instruction.ts';
import { translation, TRANSLATION_MEANING, type PictureOperation } from '../operation.ts';

/** The picture is moved to the side. */
export const translateX: PictureOperation = {
  name: 'TranslateX',
  meaning: TRANSLATION_MEANING,
  instruction: (context) =>
    affineInstruction([1, 0, translation(context, context.extent.width), 0, 1, 0], context.extent),
};
