import { defineConfig } from 'vitest/config';
import { wgsl } from './tools/wgsl-plugin.ts';

export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Tests of finalizers ask for a collection.
    execArgv: ['--expose-gc'],
    // Software adapters are slow and compile their shaders on first use.
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
});
