import { cutoutInstruction } from '../instruction.ts';
import { below, pixels, type PictureOperation } from '../operation.ts';

const MEANING = 'grey square of 8 M of 224 pixels, at a random place';

/** A grey square around a random pixel, cut at the border (DeVries and Taylor 2017). */
export const cutout: PictureOperation = {
  name: 'Cutout',
  meaning: { original: MEANING, torchvision: MEANING },
  instruction: (context) => {
    const { random, size } = context;
    const [x, y] = [below(random, size), below(random, size)];
    return cutoutInstruction(x, y, pixels(context, 40), size);
  },
};
