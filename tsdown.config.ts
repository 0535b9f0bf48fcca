import { basename, dirname, relative, resolve } from 'node:path';
import { defineConfig } from 'tsdown';
import type { Plugin } from 'vite';
import { wgsl } from './tools/wgsl-plugin.ts';

/**
 * The chunk of a module that a page may load: one for each file of the engine, one for each folder of the classifier. Bundlers
 * leave out whole files that have no side effects (`sideEffects` in package.json), so that what a page does not import costs
 * it nothing. null leaves the chunk to the bundler: the command line needs no such care.
 */
function chunkOf(id: string): string | null {
  const path = relative(import.meta.dirname, id).replace(/\.\w+$/, '');
  if (path.startsWith('shaders/')) return 'shaders';
  if (path === 'src/index') return 'engine';
  if (NAMESPACES.includes(`${path}.ts`)) return null;
  const engine = /^src\/((?:gpu|kernels|tensor|nn|inspect)\/.+)$/.exec(path)?.[1];
  if (engine !== undefined) return engine;
  const folder = /^src\/(avsc\/(?!node\/)\w+)\//.exec(path)?.[1];
  return folder ?? null;
}

/** Modules that the engine exports as namespaces, by the entries that they are. */
const NAMESPACES = ['src/nn/index.ts', 'src/nn/optim/index.ts'];

/**
 * Leaves `export * as nn from './nn/index.ts'` to the bundler of a page, by another entry. As an object made here, the namespace
 * would bring all it holds.
 */
const namespaces: Plugin = {
  name: 'namespaces',
  resolveId(source, importer) {
    if (importer === undefined || relative(import.meta.dirname, importer) !== 'src/index.ts') return null;
    const path = relative(import.meta.dirname, resolve(dirname(importer), source));
    return NAMESPACES.includes(path) ? { id: `./${basename(dirname(path))}.js`, external: true } : null;
  },
};

// One build, so that every entry shares the same chunks: a Tensor is the same class whichever way it is imported.
// index and avsc reach no Node module (test/browser.test.ts checks that) and carry the one package they need (tinybench is for the command line), so that a page
// can load them as they are. Types come from tsc (tsconfig.build.json): bundled ones lose the methods that
// tensor/methods.ts adds to Tensor.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    avsc: 'src/avsc/index.ts',
    pixels: 'src/pixels.ts',
    inspect: 'src/inspect.ts',
    node: 'src/node.ts',
    nn: 'src/nn/index.ts',
    optim: 'src/nn/optim/index.ts',
    deno: 'src/deno.ts',
    'node-only': 'src/node/index.ts',
    cli: 'src/cli/main.ts',
    worker: 'src/avsc/node/data/worker.ts',
  },
  platform: 'neutral',
  target: 'node20',
  dts: false,
  deps: {
    neverBundle: [/^node:/],
    alwaysBundle: ['fft.js', 'tinybench'],
    onlyBundle: ['fft.js', 'tinybench'],
  },
  inputOptions: {
    preserveEntrySignatures: 'allow-extension',
    resolve: { mainFields: ['module', 'main'] },
  },
  outputOptions: {
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: chunkOf }] },
    chunkFileNames: ({ name }) => (/\/|^(shaders|engine)$/.test(name) ? '[name].js' : '[name]-[hash].js'),
  },
  plugins: [namespaces, wgsl({ small: true })],
});
