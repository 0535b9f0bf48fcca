// Elements, and numbers for readers.

/** An element with text or children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  content: string | readonly (Node | string)[] = '',
  properties: Partial<Readonly<HTMLElementTagNameMap[Tag]>> = {},
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  if (typeof content === 'string') made.textContent = content;
  else made.append(...content);
  return made;
}

/** A table with a caption; the first cell of a row names it. It scrolls by itself where it is too wide. */
export function table(
  caption: string,
  header: readonly string[],
  rows: readonly (readonly (Node | string)[])[],
): HTMLElement {
  const cell = (tag: 'td' | 'th', content: Node | string): HTMLElement => element(tag, [content]);
  const head = element(
    'tr',
    header.map((name) => element('th', name, { scope: 'col' })),
  );
  const body = rows.map(([first = '', ...others]) =>
    element('tr', [
      Object.assign(cell('th', first), { scope: 'row' }),
      ...others.map((other) => cell('td', other)),
    ]),
  );
  const made = element('table', [
    element('caption', caption),
    element('thead', [head]),
    element('tbody', body),
  ]);
  const scroll = element('div', [made], { className: 'scroll', tabIndex: 0 });
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', caption);
  return scroll;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string | readonly Node[] = '',
): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (typeof content === 'string') made.textContent = content;
  else made.append(...content);
  return made;
}

/** Three digits with a unit's prefix, like `12.5 kB`. */
export function amount(value: number, unit: string): string {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  const step = value > 0 ? Math.min(4, Math.max(0, Math.floor(Math.log10(value) / 3))) : 0;
  const scaled = value / 1000 ** step;
  const digits = step === 0 && Number.isInteger(scaled) ? 0 : scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  // A number and its unit stay on one line.
  return `${scaled.toFixed(digits)}\u00a0${prefixes[step] ?? ''}${unit}`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
