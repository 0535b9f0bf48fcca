import { affineInstruction } from '../instruction.ts';
import { translation, TRANSLATION_MEANING, type PictureOperation } from '../operation.ts';

/** The picture is moved up or down. */
export const translateY: PictureOperation = {
  name: 'TranslateY',
  meaning: TRANSLATION_MEANING,
  instruction: (context) =>
    affineInstruction([1, 0, 0, 0, 1, translation(context, context.extent.height)], context.extent),
};
