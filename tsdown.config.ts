import { defineConfig } from 'tsdown';
import { wgsl } from './tools/wgsl-plugin.ts';

// One build, so that every entry shares the same chunks: a Tensor is the same class whichever way it is imported.
// index and avsc reach no Node module (test/browser.test.ts checks that) and carry the one package they need (tinybench is for the command line), so that a page
// can load them as they are. Types come from tsc (tsconfig.build.json): bundled ones lose the methods that
// tensor/methods.ts adds to Tensor.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    avsc: 'src/avsc/index.ts',
    node: 'src/node.ts',
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
  inputOptions: { resolve: { mainFields: ['module', 'main'] } },
  plugins: [wgsl({ small: true })],
});
