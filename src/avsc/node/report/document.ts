// The frame of a report: one HTML document that loads nothing. Its Content-Security-Policy lets only the scripts run that are put in here.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { messageOf } from '../../../node/files.ts';
import { requirePackages } from '../../../node/packages.ts';
import { html, Html, scriptCode, scriptJson } from './html.ts';
import { makeKit, type Kit } from './page/kit.ts';
import { followSections } from './page/navigation.ts';
import { STYLE } from './style.ts';

/** Names with their values, below a page's title. */
export function facts(entries: readonly (readonly [name: string, value: string | Html])[]): Html {
  return html`<dl class="facts">
    ${entries.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** A chart: a function of the folder `page`, whose source text goes into the document, and its data. */
interface Chart {
  readonly draw: (kit: Kit, data: never) => void;
  readonly data: unknown;
}

export function chart<Data>(draw: (kit: Kit, data: Data) => void, data: Data): Chart {
  return { draw, data };
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
  readonly charts: readonly Chart[];
}

interface Document {
  readonly title: string;
  readonly header: Html;
  readonly sections: readonly Section[];
  /** Models and the indices of their colors. */
  readonly colors: ReadonlyMap<string, number>;
}

/** The document's text. Throws an error of one sentence if the chart library is not installed. */
export async function renderDocument({ title, header, sections, colors }: Document): Promise<string> {
  const charts = sections.flatMap((section) => section.charts);
  const functions = [...new Set(charts.map(({ draw }) => draw))];
  const data = {
    colors: [...colors],
    charts: charts.map(({ draw, data }) => [functions.indexOf(draw), data] as const),
  };
  const scripts = [...(await libraries()), pageScript(functions)].map(scriptCode);
  // No space around the code: the browser hashes all of an element's text.
  const policy = [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    `script-src ${scripts.map((code) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`).join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy.join('; ')}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <div class="frame">
          <nav aria-label="Sections">
            ${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}
          </nav>
          <main>
            ${header} ${sections.map(({ id, body }) => html`<section id="${id}">${body}</section> `)}
          </main>
          <footer>Made by wavelight. The page holds all of its data and loads nothing.</footer>
        </div>
        <script type="application/json" id="data">
          ${scriptJson(data)}
        </script>
        ${scripts.map((code) => new Html(`<script>${code}</script>`))}
      </body>
    </html> `;
  return page.text;
}

/** Each function must be complete in itself, so that its text means the same in the page (page/kit.ts). */
function pageScript(functions: readonly Chart['draw'][]): string {
  return `'use strict';
const { colors, charts } = JSON.parse(document.getElementById('data').textContent);
const kit = (${makeKit.toString()})(Plot, colors);
const draw = [
${functions.map((draw) => draw.toString()).join(',\n')}
];
for (const [index, data] of charts) draw[index](kit, data);
(${followSections.toString()})();
`;
}

/** D3 and Observable Plot as scripts that define `d3` and `Plot`. */
async function libraries(): Promise<string[]> {
  requirePackages('report.html', 'reports');
  const { resolve } = createRequire(import.meta.url);
  try {
    const files = [
      join(dirname(resolve('d3')), '..', 'dist', 'd3.min.js'),
      join(dirname(resolve('@observablehq/plot')), '..', 'dist', 'plot.umd.min.js'),
    ];
    return await Promise.all(files.map((path) => readFile(path, 'utf8')));
  } catch (error) {
    throw new Error(`report.html is drawn by Observable Plot, which cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The place of a chart. `height` in pixels is kept free, so that nothing moves when the chart is drawn. */
export function chartHost(id: string, height: number, label: string, kind = ''): Html {
  return html`<div
    class="chart ${kind}"
    id="${id}"
    role="img"
    aria-label="${label}"
    style="--height: ${height}px"
  ></div>`;
}
