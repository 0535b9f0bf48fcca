// Which version of a file an answer is of.

import type { HttpFile } from './request.ts';

/** What tells versions of a file apart; null where the server does not say it, or hides it from pages of other origins. */
export interface Version {
  readonly etag: string | null;
  readonly lastModified: string | null;
}

export const versionOf = ({ headers }: Response): Version => ({
  etag: headers.get('etag'),
  lastModified: headers.get('last-modified'),
});

/** What differs between two versions, as text; null if nothing is known to. */
export function difference(before: Version, after: Version): string | null {
  const [name, a, b] =
    before.etag !== null && after.etag !== null
      ? (['ETag', before.etag, after.etag] as const)
      : (['Last-Modified', before.lastModified, after.lastModified] as const);
  return a === null || b === null || a === b ? null : `its ${name} was ${a} and is ${b}`;
}

/** True if both are known to be the same version. */
export const isSame = (before: Version, after: Version): boolean =>
  difference(before, after) === null &&
  ((before.etag !== null && after.etag !== null) ||
    (before.lastModified !== null && after.lastModified !== null));

/** The header with which a server sends the whole file instead of a range if its version is another one. */
export function ifRange(
  { crossOrigin }: Pick<HttpFile, 'crossOrigin'>,
  { etag, lastModified }: Version,
): Readonly<Record<string, string>> {
  // From another origin the header would cost a preflight request, which many servers refuse. The answer's version is checked anyway.
  if (crossOrigin) return {};
  const strong = etag !== null && !etag.startsWith('W/') ? etag : null;
  const validator = strong ?? lastModified;
  return validator === null ? {} : { 'if-range': validator };
}

/** True if the body's bytes are those of the file in compressed form, which the browser unpacks. */
export const isEncoded = ({ headers }: Response): boolean =>
  !['', 'identity'].includes((headers.get('content-encoding') ?? '').trim().toLowerCase());

export interface ContentRange {
  readonly begin: number;
  readonly end: number;
  /** Null if the server does not know it. */
  readonly size: number | null;
}

/** The bytes [begin, end) that an answer says it holds; null if it does not say so. */
export function contentRange({ headers }: Response): ContentRange | null {
  const [, first, last, size] =
    /^\s*bytes\s+(\d+)-(\d+)\/(\d+|\*)\s*$/i.exec(headers.get('content-range') ?? '') ?? [];
  if (first === undefined || last === undefined) return null;
  const range = {
    begin: Number(first),
    end: Number(last) + 1,
    size: size === undefined || size === '*' ? null : Number(size),
  };
  const numbers = [range.begin, range.end, range.size ?? range.end];
  const isValid =
    numbers.every(Number.isSafeInteger) && range.begin < range.end && range.end <= (numbers[2] ?? 0);
  return isValid ? range : null;
}
