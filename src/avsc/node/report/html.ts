// HTML as a tagged template: whatever is filled in is escaped unless it is Html already.

/** Markup that may stand in a page as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Content = string | number | Html | null | readonly Content[];

/** html`<b>${name}</b>`: strings and numbers are escaped, arrays are joined, null is left out. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.map((part, i) => part + textOf(contents[i] ?? null)).join(''));
}

function textOf(content: Content): string {
  if (content === null) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string' || typeof content === 'number') return escapeHtml(String(content));
  return content.map(textOf).join('');
}

/** Text for an element's content or for a quoted attribute. */
function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

/**
 * JSON for a `<script type="application/json">`: with `<` as an escape, no text of the value can end the element or open a comment.
 * Numbers that are not finite become null.
 */
export function scriptJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replace(/</g, '\\u003c'));
}

/** Code for a `<script>`. In JavaScript `<\/script` and `<\!--` mean the same within a string or a regular expression. */
export function scriptCode(code: string): string {
  return code.replace(/<(?=\/script|!--)/gi, '<\\');
}

/** An image's address, if it is a data: URI of a picture. Throws a TypeError otherwise: a report loads nothing. */
export function imageUri(uri: string): string {
  if (/^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]*={0,2}$/.test(uri)) return uri;
  throw new TypeError(`a report's image is a data: URI of a png, jpeg, webp or gif, got ${uri.slice(0, 40)}`);
}

/** A link to a file beside the report. Throws a TypeError for a scheme, an absolute path or another host. */
export function relativeLink(link: string): string {
  if (/^(?!\/)[^:\\?#<>"'\p{Cc}]+$/u.test(link)) return encodeURI(link);
  throw new TypeError(`a report links to files by relative paths, got ${link.slice(0, 80)}`);
}
