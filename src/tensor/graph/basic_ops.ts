import { binary } from '../../kernels/binary.ts';
import { accumulate, copy, fill } from '../../kernels/elementwise.ts';
import { one, two } from '../../kernels/tuple.ts';
import type { Op } from './node.ts';

/** The ops that autograd itself records. */

/** y = a + b for tensors of one shape. */
export const addOp: Op<null> = {
  name: 'add',
  half: 'all',
  lower({ geometry }, { inputs, outputs }) {
    const [a, b] = two(inputs);
    const y = one(outputs);
    const shape = [y.length];
    return [binary(geometry, 'add', { buffer: a, shape }, { buffer: b, shape }, y, shape)];
  },
};

/** y += x; inputs y, x. */
export const accumulateOp: Op<null> = {
  name: 'accumulate',
  half: { inputs: [1] },
  mutates: [0],
  lower: ({ geometry }, { inputs }) => [accumulate(geometry, ...two(inputs))],
};

/** y = x into a tensor that exists; inputs y, x. */
export const copyOp: Op<null> = {
  name: 'copy',
  half: { inputs: [1] },
  mutates: [0],
  lower({ geometry }, { inputs }) {
    const [y, x] = two(inputs);
    return [copy(geometry, x, y)];
  },
};

/** y = x as a new tensor. */
export const cloneOp: Op<null> = {
  name: 'clone',
  half: 'all',
  lower: ({ geometry }, { inputs, outputs }) => [copy(geometry, one(inputs), one(outputs))],
};

/** Every element is the attribute. */
export const fillOp: Op<number> = {
  name: 'fill',
  half: 'all',
  lower: ({ geometry }, { outputs, attrs }) => [fill(geometry, one(outputs), attrs)],
};

/** The same elements in another shape: both values share a storage, and nothing runs. */
export const reshapeOp: Op<null> = {
  name: 'reshape',
  lower: () => [],
};
