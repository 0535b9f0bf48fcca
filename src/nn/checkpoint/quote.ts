const LONGEST = 80;

/** Text of a file as it may stand in an error: quoted, on one line, cut where it is long. */
export function quote(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return JSON.stringify(shown);
}

/** A value of a file's header in an error. */
export const quoteValue = (value: unknown): string =>
  typeof value === 'string' ? quote(value) : clip(String(JSON.stringify(value)));

const clip = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
