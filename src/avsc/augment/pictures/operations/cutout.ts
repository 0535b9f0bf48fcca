import { cutoutInstruction } from '../instruction.ts';
import { below, pixels, type PictureOperation } from '../operation.ts';

const MEANING = 'grey square of 8 M / 224 of the shorter side, at a random place';

/** A grey square around a random pixel, cut at the border (DeVries and Taylor 2017). */
export const cutout: PictureOperation = {
  name: 'Cutout',
  meaning: { original: MEANING, torchvision: MEANING },
  instruction: (context) => {
    const { random, extent } = context;
    const [x, y] = [below(random, extent.width), below(random, extent.height)];
    const half = pixels(context, 40, Math.min(extent.width, extent.height));
    return cutoutInstruction(x, y, half, extent);
  },
};
