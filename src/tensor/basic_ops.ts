import { binary } from '../kernels/binary.ts';
import { accumulate, copy, fill } from '../kernels/elementwise.ts';
import { one, two } from '../kernels/tuple.ts';
import type { Op } from './op.ts';

/*
 * The ops that autograd itself needs. They have no gradients, and import nothing that has.
 *
 *   fill         y = a number                 add     y = a + b, of one shape
 *   clone        y = x                        copy    target = x, in place
 *   accumulate   target += x, in place
 */

/** Gives an output filled with the number. */
export const fillOp: Op<number> = {
  name: 'fill',
  lower: ({ geometry }, { outputs, attrs }) => [fill(geometry, one(outputs), attrs)],
};

/** Gives the sum of two inputs of one shape. */
export const addOp: Op<null> = {
  name: 'add',
  lower: ({ geometry }, { inputs, outputs }) => {
    const [a, b] = two(inputs);
    const y = one(outputs);
    const shape = [y.length];
    return [binary(geometry, 'add', { buffer: a, shape }, { buffer: b, shape }, y, shape)];
  },
};

/** Gives a copy of its input, converted where the output's type is another. */
export const cloneOp: Op<null> = {
  name: 'clone',
  lower: ({ geometry }, { inputs, outputs }) => [copy(geometry, one(inputs), one(outputs))],
};

/** Inputs [target, x] of one length: target = x, converted where the types differ. */
export const copyOp: Op<null> = {
  name: 'copy',
  mutates: [0],
  lower: ({ geometry }, { inputs }) => {
    const [target, x] = two(inputs);
    return [copy(geometry, x, target)];
  },
};

/** Inputs [target, x] of one length: target += x. */
export const accumulateOp: Op<null> = {
  name: 'accumulate',
  mutates: [0],
  lower: ({ geometry }, { inputs }) => {
    const [target, x] = two(inputs);
    return [accumulate(geometry, target, x)];
  },
};
