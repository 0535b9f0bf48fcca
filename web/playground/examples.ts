// The examples, as they stand in their files. The first line of each is its title.

import convNorm from './examples/conv-norm.ts?raw';
import crossEntropy from './examples/cross-entropy.ts?raw';
import denseBlock from './examples/dense-block.ts?raw';
import denseLayer from './examples/dense-layer.ts?raw';
import fcnn from './examples/fcnn.ts?raw';
import gradientCheck from './examples/gradient-check.ts?raw';
import imageFilter from './examples/image-filter.ts?raw';
import mixup from './examples/mixup.ts?raw';
import pooling from './examples/pooling.ts?raw';
import spiral from './examples/spiral.ts?raw';

/** Code by name. */
export const EXAMPLES: ReadonlyMap<string, string> = new Map([
  ['dense-layer', denseLayer],
  ['conv-norm', convNorm],
  ['dense-block', denseBlock],
  ['pooling', pooling],
  ['cross-entropy', crossEntropy],
  ['gradient-check', gradientCheck],
  ['spiral', spiral],
  ['image-filter', imageFilter],
  ['fcnn', fcnn],
  ['mixup', mixup],
]);

export const titleOf = (code: string): string => /^\/\/ (.+)/.exec(code)?.[1] ?? 'Without a title';
