import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { wgsl } from '../../tools/wgsl-plugin.ts';

const root = join(import.meta.dirname, '..', '..');

export interface Bundle {
  /** Code by file name; an entry's file has its name. */
  readonly files: ReadonlyMap<string, string>;
  /** What went in, relative to the repository. */
  readonly modules: readonly string[];
  /** Imports that were left as they are. */
  readonly imports: readonly string[];
}

/** Examples import the package by its name. */
const ALIAS = [
  { find: /^wavelight$/, replacement: join(root, 'src', 'index.ts') },
  { find: /^wavelight\/avsc$/, replacement: join(root, 'src', 'avsc', 'index.ts') },
  { find: /^wavelight\/pixels$/, replacement: join(root, 'src', 'pixels.ts') },
  { find: /^wavelight\/inspect$/, replacement: join(root, 'src', 'inspect.ts') },
];

/** Bundles entries, paths by name, for a browser as an embedder would: minified, shared code in chunks. */
export async function bundle(entries: Readonly<Record<string, string>>): Promise<Bundle> {
  const input = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(root, path)]));
  const result = await build({
    root,
    configFile: false,
    logLevel: 'warn',
    plugins: [wgsl({ small: true })],
    resolve: { alias: ALIAS },
    worker: { format: 'es', plugins: () => [wgsl({ small: true })] },
    build: {
      write: false,
      minify: true,
      target: 'es2023',
      modulePreload: false,
      rolldownOptions: {
        input,
        preserveEntrySignatures: 'strict',
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  });
  if (Array.isArray(result) || !('output' in result)) throw new Error('vite gave no single bundle');
  const chunks = result.output.filter((file) => file.type === 'chunk');
  const names = new Set(chunks.map(({ fileName }) => fileName));
  const imported = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
  return {
    // Workers come as assets.
    files: new Map(
      result.output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)]),
    ),
    modules: chunks.flatMap(({ moduleIds }) => moduleIds).map((id) => relative(root, id)),
    imports: imported.filter((name) => !names.has(name)),
  };
}

/** Bytes of an entry with all the chunks that it loads. */
export function sizeOf({ files }: Bundle, entry: string): { readonly raw: number; readonly gzip: number } {
  const loaded = new Set<string>();
  const visit = (name: string): void => {
    const code = files.get(name);
    if (code === undefined || loaded.has(name)) return;
    loaded.add(name);
    for (const [, other] of code.matchAll(/['"]\.\/([^'"]+\.js)['"]/g))
      visit(join(dirname(name), other ?? ''));
  };
  visit(entry);
  const codes = [...loaded].map((name) => Buffer.from(files.get(name) ?? ''));
  return {
    raw: codes.reduce((sum, code) => sum + code.length, 0),
    gzip: codes.reduce((sum, code) => sum + gzipSync(code).length, 0),
  };
}

/** The files of an example's page by name, built as an embedder would; `wavelight` is the source here. */
export async function buildExample(name: string): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const result = await build({
    root: join(root, 'examples', name),
    configFile: false,
    logLevel: 'warn',
    plugins: [wgsl({ small: true })],
    resolve: { alias: ALIAS },
    build: { write: false, minify: true, target: 'es2023', modulePreload: false },
  });
  if (Array.isArray(result) || !('output' in result)) throw new Error('vite gave no single bundle');
  return new Map(
    result.output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source]),
  );
}
