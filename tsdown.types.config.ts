import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { defineConfig } from 'tsdown';
import type { Plugin } from 'vite';

/** Where tsconfig.build.json has tsc write. */
const types = join(import.meta.dirname, '.cache', 'types');

const METHODS = 'tensor/methods.d.ts';
const TENSOR = 'tensor/graph/tensor.d.ts';

/**
 * Tensor's methods are an augmentation of its module (src/tensor/methods.ts), and a bundle has no such module. Here the class takes
 * them by an interface beside it, which merges with it wherever it lies.
 */
const mergedMethods: Plugin = {
  name: 'merged-methods',
  load(id) {
    const path = relative(types, id);
    if (path !== METHODS && path !== TENSOR) return null;
    const code = readFileSync(id, 'utf8');
    if (path === METHODS) return code.replace(/declare module [^]*?\n\}\n/, '');
    return `${code}\nimport type { TensorMethods } from '../methods.ts';\nexport interface Tensor extends TensorMethods {}\n`;
  },
};

/** What tsc writes as one file for each source, gathered in one for each entry and one for what they share. */
export default defineConfig({
  entry: {
    index: join(types, 'index.d.ts'),
    avsc: join(types, 'avsc/index.d.ts'),
    pixels: join(types, 'pixels.d.ts'),
    inspect: join(types, 'inspect.d.ts'),
    node: join(types, 'node.d.ts'),
    deno: join(types, 'deno.d.ts'),
    'node-only': join(types, 'node/index.d.ts'),
  },
  clean: false,
  platform: 'neutral',
  dts: { dtsInput: true, emitDtsOnly: true },
  outExtensions: () => ({ dts: '.d.ts' }),
  // Tensors and devices are disposable, which a program's `lib` need not know of.
  banner: { dts: '/// <reference lib="esnext.disposable" />' },
  plugins: [mergedMethods],
});
