/** Every op by its name, one family per file, but those of ../fusing_ops.ts. What else the files export (the recorded ops) is for the engine itself. */
export { add, div, eq, ge, gt, le, lt, maximum, minimum, mul, ne, sub } from './binary.ts';
export { conv2d, type Conv2dOptions, type PairLike } from './conv.ts';
export { crossEntropy, type CrossEntropyOptions } from './loss.ts';
export { linear, matmul, type MatmulOptions } from './matmul.ts';
export type { DimOption } from './dim_option.ts';
export {
  expand,
  flatten,
  permute,
  squeeze,
  transpose,
  unsqueeze,
  type FlattenOptions,
  type TransposeOptions,
} from './movement.ts';
export type { BatchNormOptions } from './norm.ts';
export { chunk, pad, slice, split, type Padding, type PadOptions, type SliceOptions } from './parts.ts';
export {
  adaptiveMaxPool2d,
  maxPool2d,
  type AdaptivePoolOptions,
  type AvgPoolOptions,
  type MaxPoolOptions,
  type PerAxis,
  type PoolOptions,
} from './pool.ts';
export { dropout, rand, randn, type DropoutOptions } from './random.ts';
export {
  amax,
  amin,
  argmax,
  max,
  mean,
  min,
  sum,
  sumToShape,
  type AlongOptions,
  type ArgmaxOptions,
  type Dims,
  type KeepDimOption,
  type ReduceOptions,
  type ValuesAndIndices,
} from './reduce.ts';
export { reshape } from './reshape.ts';
export { indexSelect, where } from './select.ts';
export { logSoftmax, softmax } from './softmax.ts';
export {
  abs,
  cast,
  clamp,
  exp,
  leakyRelu,
  log,
  neg,
  pow,
  reciprocal,
  relu,
  sigmoid,
  sqrt,
  square,
  tanh,
  type ClampOptions,
  type LeakyReluOptions,
} from './unary.ts';
