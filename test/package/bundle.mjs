// Bundles ENTRY for a page, minified, to OUT: node bundle.mjs vite|esbuild|webpack TOOLS ENTRY OUT
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';

const [, , bundler, tools, entry, out] = argv;
const require = createRequire(`${tools}/package.json`);

const load = async (name) => {
  const module = await import(pathToFileURL(require.resolve(name)).href);
  return module.default ?? module;
};

const BUNDLERS = {
  async vite() {
    const { build } = await import(pathToFileURL(`${tools}/node_modules/vite/dist/node/index.js`).href);
    await build({
      configFile: false,
      logLevel: 'error',
      build: {
        outDir: dirname(out),
        emptyOutDir: false,
        target: 'esnext',
        modulePreload: false,
        rolldownOptions: {
          input: entry,
          output: { entryFileNames: basename(out), codeSplitting: false },
        },
      },
    });
  },
  async esbuild() {
    const { build } = await load('esbuild');
    await build({ entryPoints: [entry], outfile: out, bundle: true, minify: true, format: 'esm' });
  },
  async webpack() {
    const webpack = await load('webpack');
    const compiler = webpack({
      mode: 'production',
      target: 'web',
      entry,
      experiments: { outputModule: true },
      output: { path: dirname(out), filename: basename(out), module: true },
    });
    const stats = await new Promise((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  },
};

await BUNDLERS[bundler]();
