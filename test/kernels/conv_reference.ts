import type { Conv2dExtent } from '../../src/kernels/conv.ts';

/** A conv2d as a test writes it down. */
export type Sizes = [
  images: number,
  channels: [number, number],
  input: [number, number],
  kernel: [number, number],
  options?: { s?: [number, number]; p?: [number, number]; d?: [number, number]; g?: number },
];

export function extentOf([
  images,
  [inChannels, outChannels],
  [height, width],
  [ky, kx],
  options = {},
]: Sizes): Conv2dExtent {
  const { s = [1, 1], p = [0, 0], d = [1, 1], g = 1 } = options;
  return {
    images,
    inChannels,
    outChannels,
    groups: g,
    input: { y: height, x: width },
    output: {
      y: Math.floor((height + 2 * p[0] - d[0] * (ky - 1) - 1) / s[0]) + 1,
      x: Math.floor((width + 2 * p[1] - d[1] * (kx - 1) - 1) / s[1]) + 1,
    },
    kernel: { y: ky, x: kx },
    stride: { y: s[0], x: s[1] },
    padding: { y: p[0], x: p[1] },
    dilation: { y: d[0], x: d[1] },
  };
}

export const xLength = ({ images, inChannels, input }: Conv2dExtent): number =>
  images * inChannels * input.y * input.x;
export const yLength = ({ images, outChannels, output }: Conv2dExtent): number =>
  images * outChannels * output.y * output.x;
export const wLength = ({ inChannels, outChannels, groups, kernel }: Conv2dExtent): number =>
  ((outChannels * inChannels) / groups) * kernel.y * kernel.x;

/** conv2d and its gradients by definition: every product once, in f64. */
export function convReference(
  conv: Conv2dExtent,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  bias: ArrayLike<number>,
  dy: ArrayLike<number>,
) {
  const y = new Float64Array(yLength(conv));
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(w.length);
  const { input, output, kernel, stride, padding, dilation } = conv;
  const inOf = conv.inChannels / conv.groups;
  const outOf = conv.outChannels / conv.groups;
  let at = 0;
  for (let n = 0; n < conv.images; n++) {
    for (let co = 0; co < conv.outChannels; co++) {
      for (let oy = 0; oy < output.y; oy++) {
        for (let ox = 0; ox < output.x; ox++, at++) {
          let sum = bias[co] ?? 0;
          const gradient = dy[at] ?? 0;
          for (let ci = 0; ci < inOf; ci++) {
            for (let ky = 0; ky < kernel.y; ky++) {
              for (let kx = 0; kx < kernel.x; kx++) {
                const iy = oy * stride.y - padding.y + ky * dilation.y;
                const ix = ox * stride.x - padding.x + kx * dilation.x;
                if (iy < 0 || iy >= input.y || ix < 0 || ix >= input.x) continue;
                const channel = n * conv.inChannels + Math.floor(co / outOf) * inOf + ci;
                const i = (channel * input.y + iy) * input.x + ix;
                const j = ((co * inOf + ci) * kernel.y + ky) * kernel.x + kx;
                sum += (x[i] ?? 0) * (w[j] ?? 0);
                dx[i] = (dx[i] ?? 0) + gradient * (w[j] ?? 0);
                dw[j] = (dw[j] ?? 0) + gradient * (x[i] ?? 0);
              }
            }
          }
          y[at] = sum;
        }
      }
    }
  }
  return { y, dx, dw };
}
