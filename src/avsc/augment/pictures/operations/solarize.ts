import { solarizeInstruction } from '../instruction.ts';
import { bin, level, type PictureOperation } from '../operation.ts';

/** Bytes from a threshold on are inverted. */
export const solarize: PictureOperation = {
  name: 'Solarize',
  meaning: { original: 'from 25.6 M on, rounded down', torchvision: 'from 255 - 25.5 M on' },
  instruction: (context) =>
    solarizeInstruction(
      context.scale === 'original' ? Math.trunc(level(context, 256)) : bin(context, 255, 0),
    ),
};
