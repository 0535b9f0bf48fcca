import { defineConfig } from 'tsdown';
import { wgsl } from './tools/wgsl-plugin.ts';

// One build, so that every entry shares the same chunks: a Tensor is the same class whichever way it is imported.
// index and avsc reach no Node module (test/browser.test.ts checks the bundle).
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    avsc: 'src/avsc/index.ts',
    node: 'src/node.ts',
    cli: 'src/cli/main.ts',
    worker: 'src/avsc/node/worker.ts',
  },
  platform: 'neutral',
  dts: true,
  plugins: [wgsl()],
});
