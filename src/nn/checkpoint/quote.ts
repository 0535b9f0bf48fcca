const LONGEST = 80;

const clip = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** Text of a file as it may stand in an error: quoted, on one line, cut where it is long. */
export const quote = (text: string): string => JSON.stringify(clip(text));

/** A value of a file's header in an error. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? quote(value) : clip(JSON.stringify(value));
}
