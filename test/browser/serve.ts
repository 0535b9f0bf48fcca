import { readFileSync } from 'node:fs';
import { serveFiles, type FileServer, type Served } from '../support/file_server.ts';

const HEAD = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">';

/** A page that runs a script. */
export const pageOf = (script: string): string => `${HEAD}<script type="module" src="/${script}"></script>`;

/** The page of an example, which runs a script in the place of its own. */
export const exampleOf = (name: string, script: string): string =>
  HEAD + readFileSync(`examples/${name}/index.html`, 'utf8').replace('./main.ts', `/${script}`);

/** Serves scripts and pages by their names, '' for the first one. */
export function servePages(
  scripts: ReadonlyMap<string, string>,
  pages: Readonly<Record<string, string>>,
  others: Readonly<Record<string, Served>> = {},
): Promise<FileServer> {
  const all = (texts: Iterable<readonly [string, string]>, type: string): Record<string, Served> =>
    Object.fromEntries(
      [...texts].map(([name, text]) => [name, { bytes: new TextEncoder().encode(text), type }]),
    );
  return serveFiles({
    ...all(scripts, 'text/javascript'),
    ...all(Object.entries(pages), 'text/html'),
    ...others,
  });
}
