const LONGEST = 80;

const clip = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** Control characters, line breaks and direction marks, which JSON does not escape. */
// eslint-disable-next-line no-control-regex -- the regex is about control characters
const INVISIBLE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text of a file for an error message: quoted, on one line, truncated if it is long. */
export const quote = (text: string): string => printable(JSON.stringify(clip(text)));

/** The text with escapes for invisible characters. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value of a file's header for an error message. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? quote(value) : clip(printable(JSON.stringify(value)));
}
