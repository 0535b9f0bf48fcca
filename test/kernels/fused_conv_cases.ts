import type { Sizes } from './conv_reference.ts';
import type { Slice } from './map_values.ts';

export interface FusedCase {
  readonly sizes: Sizes;
  /** Slices of wider buffers in which x and y (and dy) lie; their gradients lie in slices of other widths. */
  readonly x?: Slice;
  readonly y?: Slice;
  readonly relu: boolean;
  readonly bias: boolean;
  readonly accumulate: boolean;
}

/** Convolutions between slices of blocks, with edges of every kind and none. */
export const CASES: Record<string, FusedCase> = {
  'a bottleneck 1x1 from a block': {
    sizes: [3, [13, 20], [7, 5], [1, 1]],
    x: [17, 0],
    relu: true,
    bias: false,
    accumulate: true,
  },
  'a growth 3x3 into a block': {
    sizes: [2, [20, 9], [9, 6], [3, 3], { p: [1, 1] }],
    y: [23, 11],
    relu: true,
    bias: false,
    accumulate: false,
  },
  'a bottleneck 1x1 in quads': {
    sizes: [3, [13, 22], [6, 6], [1, 1]],
    x: [17, 3],
    y: [23, 1],
    relu: true,
    bias: true,
    accumulate: true,
  },
  'a growth 3x3 of even channels': {
    sizes: [2, [24, 16], [5, 7], [3, 3], { p: [1, 1] }],
    x: [25, 1],
    y: [20, 3],
    relu: true,
    bias: false,
    accumulate: true,
  },
  '5x5 stride 2 with bias, no relu': {
    sizes: [2, [6, 24], [16, 9], [5, 5], { s: [2, 2], p: [2, 2] }],
    x: [9, 2],
    relu: false,
    bias: true,
    accumulate: false,
  },
  '3x5 uneven in everything': {
    sizes: [2, [3, 5], [13, 17], [3, 5], { s: [3, 2], p: [2, 1], d: [1, 3] }],
    x: [4, 1],
    y: [6, 0],
    relu: true,
    bias: true,
    accumulate: true,
  },
  'size 1': { sizes: [1, [1, 1], [1, 1], [1, 1]], relu: false, bias: true, accumulate: true },
  'whole tiles of many rows': {
    sizes: [2, [64, 136], [8, 8], [1, 1]],
    x: [96, 32],
    y: [140, 4],
    relu: true,
    bias: true,
    accumulate: true,
  },
  'a 3x3 with bias, no relu': {
    sizes: [3, [7, 10], [1, 12], [3, 3], { p: [2, 1] }],
    x: [9, 1],
    relu: false,
    bias: true,
    accumulate: false,
  },
  'a 3x3 of many tiles': {
    sizes: [2, [4, 5], [27, 20], [3, 3], { p: [0, 1] }],
    x: [7, 2],
    y: [9, 4],
    relu: true,
    bias: true,
    accumulate: true,
  },
  grouped: {
    sizes: [2, [12, 18], [6, 7], [3, 3], { p: [1, 1], g: 3 }],
    x: [14, 1],
    y: [20, 2],
    relu: true,
    bias: true,
    accumulate: false,
  },
};
