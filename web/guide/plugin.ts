// A plugin of Vite: the pages of the guide, in the build and while the site is served.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { DOCS, isPage, PAGES, type PageName } from './pages.ts';
import { htmlOf } from './template.ts';

const FOLDER = import.meta.dirname;
const REFERENCE = join(FOLDER, '..', '..', 'dist-web', 'reference');

/** Content types of the reference's files. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};

/** Inputs of the build by their names in it. They are no files: the plugin makes them. */
const inputs: Readonly<Record<string, string>> = Object.fromEntries(
  PAGES.map((name) => [`guide/${name}`, join(FOLDER, `${name}.html`)]),
);

const INPUT = /\/guide\/[\w-]+\.html$/;

/** The page of an input or of a path in the site; undefined for all others. */
function pageAt(path: string): PageName | undefined {
  const name = /\/guide\/([\w-]+)\.html$/.exec(path)?.[1];
  return name !== undefined && isPage(name) ? name : undefined;
}

export function guide(): Plugin {
  return {
    name: 'guide',
    enforce: 'pre',
    config: ({ build }) => ({
      build: { rolldownOptions: { input: { ...(build?.rolldownOptions?.input as object), ...inputs } } },
    }),
    // The filters spare every other module of the site a call.
    resolveId: { filter: { id: INPUT }, handler: (id) => (Object.values(inputs).includes(id) ? id : null) },
    load: {
      filter: { id: INPUT },
      handler(id) {
        const page = Object.values(inputs).includes(id) ? pageAt(id) : undefined;
        if (page === undefined) return null;
        this.addWatchFile(join(DOCS, `${page}.md`));
        return htmlOf(page);
      },
    },
    configureServer(server) {
      const serve: Connect.NextHandleFunction = (request, response, next) => {
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        const page = pageAt(path);
        const send = (type: string, content: string | Uint8Array): void => {
          response.setHeader('content-type', type);
          response.end(content);
        };
        const answer = async (): Promise<void> => {
          if (page !== undefined) send('text/html', await server.transformIndexHtml(path, htmlOf(page)));
          else if (/^\/docs\/[\w-]+\.svg$/.test(path))
            send('image/svg+xml', await readFile(join(DOCS, path.slice('/docs/'.length))));
          else if (path.startsWith('/reference/')) {
            const file = join(REFERENCE, path.slice('/reference/'.length));
            if (existsSync(file))
              send(TYPES[extname(file)] ?? 'application/octet-stream', await readFile(file));
            else {
              response.statusCode = 404;
              send('text/plain', 'The reference is made by npm run web:reference.');
            }
          } else next();
        };
        answer().catch(next);
      };
      server.middlewares.use(serve);
      server.watcher.add(DOCS);
      server.watcher.on('change', (path) => {
        if (path.startsWith(DOCS)) server.ws.send({ type: 'full-reload' });
      });
    },
  };
}
