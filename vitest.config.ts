import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/order.ts';
import { wgsl } from './tools/wgsl-plugin.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // A worker runs many files: modules stay loaded, and kernels compiled (test/support/device.ts).
    isolate: false,
    setupFiles: 'test/support/setup.ts',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Tests of finalizers ask for a collection.
    execArgv: ['--expose-gc'],
    // Software adapters are slow and compile their shaders on first use; full sizes take them hours.
    testTimeout: process.env['WAVELIGHT_TEST_ALL'] === '1' ? 7_200_000 : 240_000,
    hookTimeout: 120_000,
  },
});
