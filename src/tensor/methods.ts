/**
 * Tensor's methods: the functions of ops/, with the tensor first. They are put on the prototype here, so that
 * tensor.ts need not import every op, and ops can import tensor.ts.
 */
import { backward, type BackwardOptions } from './graph/autograd.ts';
import { cloneOp } from './graph/basic_ops.ts';
import { recordOne } from './graph/op.ts';
import * as ops from './ops/index.ts';
import type { Device, TensorBuffer } from './device.ts';
import { Tensor } from './graph/tensor.ts';
import { NEEDS_PIXELS } from './pixels/needed.ts';
import type { DrawOptions, TextureOptions } from './pixels/to_texture.ts';

type Method<F> = F extends (x: Tensor, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;

const METHODS = {
  abs: ops.abs,
  add: ops.add,
  amax: ops.amax,
  amin: ops.amin,
  argmax: ops.argmax,
  clamp: ops.clamp,
  div: ops.div,
  exp: ops.exp,
  expand: ops.expand,
  flatten: ops.flatten,
  indexSelect: ops.indexSelect,
  log: ops.log,
  logSoftmax: ops.logSoftmax,
  matmul: ops.matmul,
  mean: ops.mean,
  mul: ops.mul,
  neg: ops.neg,
  permute: ops.permute,
  pow: ops.pow,
  relu: ops.relu,
  reshape: ops.reshape,
  sigmoid: ops.sigmoid,
  softmax: ops.softmax,
  sqrt: ops.sqrt,
  square: ops.square,
  sub: ops.sub,
  sum: ops.sum,
  tanh: ops.tanh,
  transpose: ops.transpose,
};

type OpMethods = { [Name in keyof typeof METHODS]: Method<(typeof METHODS)[Name]> };

/** What this file adds to Tensor. */
export interface TensorMethods extends OpMethods {
  /** The device that the tensor lives on. */
  readonly device: Device;
  /**
   * Gradients of this tensor with respect to every leaf that requires one, added to the leaves' `grad`. `gradient`
   * flows in, of this tensor's shape; a scalar's defaults to 1. Options may stand in its place.
   */
  backward(gradient?: Tensor | BackwardOptions | null, options?: BackwardOptions): void;
  /**
   * Runs what was recorded and gives the GPUBuffer that the elements lie in, for a render or compute pass of the caller's: nothing
   * is copied. It holds until the tensor is disposed or its memory given to other elements; the caller must not write to it.
   */
  buffer(): Promise<TensorBuffer>;
  /** A copy of the elements, without gradient history. */
  clone(): Tensor;
  /**
   * Draws the elements, once they are computed, as a picture (a page imports 'wavelight/pixels' for it): [channels, height, width] or [1, channels, height, width] f32 of 1
   * channel (grey), 3 (RGB) or 4 (RGBA, not premultiplied), as number * std + mean between 0 and 1. Resolves to the texture when the
   * work is submitted. An -srgb texture holds the same bytes as one without. NaN becomes 0. Rejects with a TypeError or RangeError
   * for a tensor that is no picture, options that there are not, or a texture that does not fit.
   */
  toTexture(options?: TextureOptions): Promise<GPUTexture>;
  /**
   * Draws as `toTexture` does on a canvas, which gets the tensor's size, and the device's context unless it has one. Resolves when the
   * work is submitted. Rejects with a TypeError for a canvas with another context, and as `toTexture` does.
   */
  toCanvas(canvas: HTMLCanvasElement | OffscreenCanvas, options?: DrawOptions): Promise<void>;
  /** Largest element, or along a dimension the largest elements with their places. */
  max: {
    (): Tensor;
    (dim: number | ops.AlongOptions, options?: ops.KeepDimOption): ops.ValuesAndIndices;
  };
  min: {
    (): Tensor;
    (dim: number | ops.AlongOptions, options?: ops.KeepDimOption): ops.ValuesAndIndices;
  };
}

declare module './graph/tensor.ts' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- an interface is what merges with a class
  interface Tensor extends TensorMethods {}
}

function define(name: string, fn: (x: Tensor, ...rest: never[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: never[]) {
      return fn(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
}

for (const [name, fn] of Object.entries(METHODS)) define(name, fn);
define('max', ops.max);
define('min', ops.min);
define('backward', backward);
define('buffer', (x) => x.device.buffer(x));
// Until pixels/methods.ts puts the real ones here.
for (const name of ['toTexture', 'toCanvas'])
  define(name, () => Promise.reject(new Error(`tensor.${name} ${NEEDS_PIXELS}`)));
define('clone', (x) => recordOne(cloneOp, [x], { shape: x.shape, dtype: x.dtype }, null));
// Every tensor that users hold was made by a Device; the graph below knows it as a Recorder.
Object.defineProperty(Tensor.prototype, 'device', {
  get(this: Tensor) {
    return this.recorder;
  },
  configurable: true,
});
