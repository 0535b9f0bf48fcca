import { rotateInstruction } from '../instruction.ts';
import { bin, eitherWay, level, type PictureOperation } from '../operation.ts';

const MEANING = 'by +- 3 M degrees';

/** A turn about the centre. */
export const rotate: PictureOperation = {
  name: 'Rotate',
  meaning: { original: MEANING, torchvision: MEANING },
  instruction: (context) => {
    const most = 30;
    const degrees = context.scale === 'original' ? level(context, most) : bin(context, 0, most);
    return rotateInstruction(eitherWay(context, degrees), context.extent);
  },
};
