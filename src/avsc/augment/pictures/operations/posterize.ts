import { posterizeInstruction } from '../instruction.ts';
import { binIndex, level, type PictureOperation } from '../operation.ts';

/** Each byte keeps its upper bits. The original keeps none at all below M = 2.5, which makes the picture black. */
export const posterize: PictureOperation = {
  name: 'Posterize',
  meaning: { original: 'keeps 0.4 M bits, rounded down', torchvision: 'keeps 8 - 0.4 M bits' },
  instruction: (context) =>
    posterizeInstruction(
      context.scale === 'original'
        ? Math.trunc(level(context, 4))
        : 8 - Math.round(binIndex(context.magnitude) / 7.5),
    ),
};
