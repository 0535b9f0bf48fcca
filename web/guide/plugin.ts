// A plugin of Vite: the pages of the guide, in the build and while the site is served.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { escapeHtml, renderMarkdown } from './markdown.ts';
import { DOCS, isPage, PAGES, readPage, titleOf, type PageName } from './pages.ts';

const FOLDER = import.meta.dirname;
const REFERENCE = join(FOLDER, '..', '..', 'dist-web', 'reference');

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
        return html(page);
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
          if (page !== undefined) send('text/html', await server.transformIndexHtml(path, html(page)));
          else if (/^\/docs\/[\w-]+\.svg$/.test(path))
            send('image/svg+xml', await readFile(join(DOCS, path.slice('/docs/'.length))));
          else if (path.startsWith('/reference/') && !existsSync(REFERENCE)) {
            response.statusCode = 404;
            send('text/plain', 'The reference is made by npm run web:reference.');
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

/** A whole page. Style sheets and images are named by their sources, as in the site's other pages. */
function html(name: PageName): string {
  const article = renderMarkdown(readPage(name), `docs/${name}.md`);
  const at = PAGES.indexOf(name);
  const link = (to: PageName | undefined, word: string, rel: string): string =>
    to === undefined
      ? '<span></span>'
      : `<a rel="${rel}" href="${to}.html"><small>${word}</small>${escapeHtml(titleOf(to))}</a>`;
  const chapters = PAGES.map(
    (page) =>
      `<li><a href="${page}.html"${page === name ? ' aria-current="page"' : ''}>${escapeHtml(titleOf(page))}</a></li>`,
  );
  const sections = article.sections.map(
    ({ id, title, depth }) => `<li class="depth-${depth}"><a href="#${id}">${title}</a></li>`,
  );
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escapeHtml(titleOf(name))}: the guide of wavelight</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="../shared/style.css" />
    <link rel="stylesheet" href="./style.css" />
  </head>
  <body class="guide">
    <!-- menu -->
    <div class="with-contents">
      <nav class="chapters" aria-label="Guide"><ul>${chapters.join('')}</ul></nav>
      <main>
        <article>
${article.html}
        </article>
        <nav class="neighbours" aria-label="Previous and next">${link(PAGES[at - 1], 'Previous', 'prev')}${link(PAGES[at + 1], 'Next', 'next')}</nav>
      </main>
      <nav class="sections" aria-label="On this page"><h2>On this page</h2><ul>${sections.join('')}</ul></nav>
    </div>
  </body>
</html>
`;
}
