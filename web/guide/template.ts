// A page of the guide as HTML: its article, with the other pages and its own sections beside it.

import { escapeHtml, renderMarkdown } from './markdown.ts';
import { PAGES, readPage, titleOf, type PageName } from './pages.ts';

/** A whole page. Style sheets and images are named by their sources, as in the site's other pages. */
export function htmlOf(name: PageName): string {
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
