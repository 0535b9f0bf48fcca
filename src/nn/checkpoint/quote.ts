const LONGEST = 80;

const clip = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** Controls, line breaks and marks that turn the writing around, which JSON leaves as they are. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const INVISIBLE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text of a file as it may stand in an error: quoted, on one line, cut where it is long. */
export const quote = (text: string): string => printable(JSON.stringify(clip(text)));

/** The text with escapes for what does not show. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value of a file's header in an error. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? quote(value) : clip(printable(JSON.stringify(value)));
}
