// Markdown of docs/ as HTML of the site. What a page refers to must exist, or the build fails.

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Marked, type Tokens } from 'marked';
import { createHighlighter } from 'shiki';
import { DOCS, isPage } from './pages.ts';

interface Section {
  /** Of the heading, unique on the page. */
  readonly id: string;
  /** HTML. */
  readonly title: string;
  /** 2 or 3, as in h2 and h3. */
  readonly depth: number;
}

interface Article {
  readonly html: string;
  /** The h2 and h3 of the page. */
  readonly sections: readonly Section[];
}

const THEMES = { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } as const;
const LANGUAGES = ['ts', 'sh', 'wgsl', 'json', 'html', 'text'];

const highlighter = await createHighlighter({ themes: Object.values(THEMES), langs: LANGUAGES });

/** Code in the colors of both schemes; the style sheet's `color-scheme` chooses. */
const highlight = (code: string, lang: string): string =>
  highlighter.codeToHtml(code, {
    lang,
    themes: THEMES,
    defaultColor: 'light-dark()',
    colorsRendering: 'none',
  });

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Ids as GitHub makes them, so that links with anchors work there too. */
const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** Throws an Error for a link or an image that leads nowhere, or for a language that is not highlighted. */
export function renderMarkdown(markdown: string, file: string): Article {
  const sections: Section[] = [];

  const inRepository = (href: string): string => {
    const path = join(DOCS, href);
    if (!existsSync(path)) throw new Error(`${file}: ${href} does not exist`);
    return relative(join(DOCS, '..'), path);
  };

  const marked = new Marked({
    renderer: {
      // Comments are for the tests of the samples.
      html: ({ text }) => (text.trimStart().startsWith('<!--') ? '' : text),
      code({ text, lang = '' }: Tokens.Code): string {
        const language = lang.split(' ')[0] ?? '';
        if (!LANGUAGES.includes(language))
          throw new Error(`${file}: code in '${lang}', name one of ${LANGUAGES.join(', ')}`);
        return highlight(text, language);
      },
      heading({ tokens, depth }: Tokens.Heading): string {
        const html = this.parser.parseInline(tokens);
        const text = this.parser.parseInline(tokens, this.parser.textRenderer);
        if (depth === 1) return `<h1>${html}</h1>\n`;
        const slug = slugOf(text);
        const id = sections.some((section) => section.id === slug) ? `${slug}-${sections.length}` : slug;
        sections.push({ id, title: html, depth });
        return `<h${depth} id="${id}">${html} <a class="anchor" href="#${id}" aria-label="Link to: ${escapeHtml(text)}">#</a></h${depth}>\n`;
      },
      table(token: Tokens.Table): string {
        const cells = (row: readonly Tokens.TableCell[], tag: string): string =>
          `<tr>${row.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag.split(' ')[0] ?? ''}>`).join('')}</tr>`;
        const rows = token.rows.map((row) => cells(row, 'td')).join('\n');
        return `<div class="scroll" tabindex="0" role="group" aria-label="Table"><table><thead>${cells(token.header, 'th scope="col"')}</thead><tbody>${rows}</tbody></table></div>\n`;
      },
      link({ href, tokens }: Tokens.Link): string {
        const html = this.parser.parseInline(tokens);
        if (/^https?:/.test(href)) return `<a href="${escapeHtml(href)}">${html}</a>`;
        const [path = '', anchor] = href.split('#');
        const suffix = anchor === undefined ? '' : `#${anchor}`;
        if (path === '') return `<a href="${suffix}">${html}</a>`;
        const page = /^([\w-]+)\.md$/.exec(path)?.[1] ?? '';
        if (isPage(page)) return `<a href="${page}.html${suffix}">${html}</a>`;
        // The repository has no public address: a file of it is named, not linked to.
        const name = inRepository(path);
        const code = `<code>${escapeHtml(name)}</code>`;
        const text = html.replaceAll(/<\/?code>/g, '').replace(/\/$/, '');
        return text === name ? code : `${html} (${code})`;
      },
      image({ href, text }: Tokens.Image): string {
        inRepository(href);
        // Vite resolves it and gives it its place in the build.
        return `<img src="../../docs/${escapeHtml(href)}" alt="${escapeHtml(text)}" loading="lazy" />`;
      },
    },
  });
  const html = marked.parse(markdown, { async: false });
  return { html, sections };
}
