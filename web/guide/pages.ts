// The pages of the guide: files of docs/, in the order in which they are read.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the guide is written. */
export const DOCS = join(import.meta.dirname, '..', '..', 'docs');

/** Names of the pages; docs/NAME.md becomes guide/NAME.html. */
export const PAGES = [
  'start',
  'engine',
  'embedding',
  'augmentations',
  'experiments',
  'several-gpus',
  'kernels',
] as const;

export type PageName = (typeof PAGES)[number];

export const isPage = (name: string): name is PageName => (PAGES as readonly string[]).includes(name);

/** The markdown of a page. Throws an Error if docs/ has no such file. */
export function readPage(name: PageName): string {
  const file = join(DOCS, `${name}.md`);
  if (!existsSync(file)) throw new Error(`the guide's page ${name} has no file docs/${name}.md`);
  return readFileSync(file, 'utf8');
}

/** The title of a page, which is its first line. */
export function titleOf(name: PageName): string {
  const title = /^# (.+)/.exec(readPage(name))?.[1];
  if (title === undefined) throw new Error(`docs/${name}.md has no title: begin it with "# "`);
  return title;
}
