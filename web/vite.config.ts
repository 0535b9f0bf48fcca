import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { wgsl } from '../tools/wgsl-plugin.ts';
import { guide } from './guide/plugin.ts';
import { offline } from './offline/plugin.ts';
import { menus, pagesOf } from './site.ts';

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

/** `npm run web` serves the site, `npm run web:build` makes a folder of files that works from any path. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [
    wgsl({ small: true }),
    guide(),
    menus(),
    offline(fileURLToPath(new URL('public', import.meta.url))),
  ],
  resolve: {
    alias: [
      { find: /^wavelight$/, replacement: source('index.ts') },
      { find: /^wavelight\/avsc$/, replacement: source('avsc/index.ts') },
      { find: /^wavelight\/pixels$/, replacement: source('pixels.ts') },
    ],
  },
  build: {
    outDir: '../dist-web',
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    rolldownOptions: {
      input: {
        ...pagesOf(import.meta.dirname),
        sw: fileURLToPath(new URL('offline/worker.ts', import.meta.url)),
      },
      // A service worker is found again by its name, and rules over the folder that it lies in.
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
});
