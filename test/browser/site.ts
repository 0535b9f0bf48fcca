import { join } from 'node:path';
import { build } from 'vite';
import { serveFiles, type FileServer, type Served } from '../support/file_server.ts';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html',
  js: 'text/javascript',
  css: 'text/css',
  json: 'application/json',
  svg: 'image/svg+xml',
};

/** The files of the site by path, as `npm run web:build` makes them. */
export async function buildSite(): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const result = await build({
    configFile: join(import.meta.dirname, '..', '..', 'web', 'vite.config.ts'),
    logLevel: 'warn',
    build: { write: false },
  });
  if (Array.isArray(result) || !('output' in result)) throw new Error('vite gave no single bundle');
  return new Map(
    result.output.map((file) => {
      const content = file.type === 'chunk' ? file.code : file.source;
      return [
        file.fileName,
        typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content),
      ];
    }),
  );
}

/** Serves the site under `folder` (such as 'some/path/'), with further files. */
export function serveSite(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  others: Readonly<Record<string, Served>> = {},
  folder = '',
): Promise<FileServer> {
  const served = [...files].map(([path, bytes]): [string, Served] => {
    const type = TYPES[path.split('.').at(-1) ?? ''];
    return [folder + path, { bytes, ...(type !== undefined && { type }) }];
  });
  return serveFiles({ ...Object.fromEntries(served), ...others });
}
