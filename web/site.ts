// What all pages of the site have in common, put into each when it is built.

import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Plugin } from 'vite';

/** The places of the site, in the order of its menu: path from the site's folder, and title. */
const PLACES: readonly (readonly [path: string, title: string])[] = [
  ['index.html', 'Listen and look'],
  ['teach.html', 'Teach it your places'],
  ['playground.html', 'Playground'],
  ['guide/start.html', 'Guide'],
  ['reference/index.html', 'Reference'],
];

/** The site's folder from the page at `path`. */
const rootOf = (path: string): string => '../'.repeat(path.split('/').length - 1) || './';

/** The menu of the page at `path`; links are relative, so that the site works in any folder. */
export function menu(path: string): string {
  const up = rootOf(path);
  const items = PLACES.map(([to, title]) => {
    const here = to.split('/')[0] === path.split('/')[0];
    return `<li><a href="${up}${to}"${here ? ' aria-current="page"' : ''}>${title}</a></li>`;
  });
  return `<nav aria-label="Site"><a class="brand" href="${up}index.html">wavelight</a><ul>${items.join('')}</ul></nav>`;
}

/** Fills `<!-- menu -->` of every page, and starts the service worker. */
export function menus(): Plugin {
  return {
    name: 'menus',
    transformIndexHtml: {
      order: 'pre',
      handler: (html, { path, server }) => {
        const page = path.replace(/^\//, '');
        const withMenu = html.replace('<!-- menu -->', menu(page));
        // A server of sources has no service worker.
        if (server !== undefined) return withMenu;
        const head = `<meta name="root" content="${rootOf(page)}" /><script type="module" src="/offline/register.ts"></script></head>`;
        return withMenu.replace('</head>', head);
      },
    },
  };
}

/** The pages of a folder by name. */
export const pagesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith('.html'))
      .map((name) => [basename(name, '.html'), join(folder, name)]),
  );
