// What a checkpoint can be opened from.

import { checkOptions } from '../../tensor/graph/options.ts';
import { formatValue } from '../../tensor/graph/wording.ts';
import type * as Http from './http/source.ts';
import { openPath } from './paths.ts';
import { OPEN_OPTIONS, type OpenOptions } from './options.ts';
import { printable } from './quote.ts';
import { blobSource, bytesSource, type ByteSource, type NamedSource } from './source.ts';

/**
 * A file: its bytes, a Blob (a File that a user has chosen), a Response, or where it lies: an URL of http, https, blob or data, which may
 * be relative to the page. With the entry for Node, also a file: URL or a path.
 */
export type CheckpointSource =
  ByteSource | string | URL | Request | Response | Blob | ArrayBuffer | Uint8Array;

const http = (): Promise<typeof Http> => import('./http/source.ts');

/** Throws a TypeError of one sentence if it is nothing of the kind, the errors of fetching it, and the signal's reason. */
export async function openGiven(source: CheckpointSource, options: OpenOptions): Promise<NamedSource> {
  checkOptions('openCheckpoint', options, OPEN_OPTIONS);
  options.signal?.throwIfAborted();
  const given: unknown = source;
  if (typeof given === 'string' || given instanceof URL) return openLocation(given, options);
  if (given instanceof Blob) return { bytes: blobSource(given), name: '' };
  if (given instanceof ArrayBuffer) return { bytes: bytesSource(new Uint8Array(given)), name: '' };
  if (given instanceof Uint8Array) return { bytes: bytesSource(given), name: '' };
  if (given instanceof Request) {
    return (await http()).openHttp(given, options);
  }
  if (given instanceof Response) {
    return (await http()).openResponse(given, options);
  }
  if (isByteSource(given)) return { bytes: given, name: '' };
  throw new TypeError(
    `openCheckpoint takes a URL, a Blob, a Response, an ArrayBuffer, a Uint8Array or a ByteSource, got ${formatValue(given)}`,
  );
}

function isByteSource(value: unknown): value is ByteSource {
  if (typeof value !== 'object' || value === null) return false;
  const { size, read } = value as Partial<Record<keyof ByteSource, unknown>>;
  return typeof size === 'number' && typeof read === 'function';
}

async function openLocation(given: string | URL, options: OpenOptions): Promise<NamedSource> {
  const text = String(given);
  // A single letter is a drive of Windows.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === 'file') {
    const path = openPath(given);
    if (path !== null) return { bytes: await path, name: text };
  }
  switch (scheme) {
    case undefined:
    case 'http':
    case 'https': {
      const url = resolved(text);
      return (await http()).openHttp(url, options);
    }
    case 'blob':
    case 'data': {
      return (await http()).openLocal(text, options);
    }
    case 'file':
      throw new TypeError(
        `a page cannot read ${printable(text)}: let its user choose the file, and pass the File`,
      );
    default:
      throw new TypeError(
        `openCheckpoint reads http, https, blob and data URLs, got one of ${scheme}: ${printable(text.slice(0, 80))}`,
      );
  }
}

/** Throws a TypeError if the text is no URL. */
function resolved(text: string): URL {
  const base =
    typeof document === 'object'
      ? document.baseURI
      : typeof location === 'object'
        ? location.href
        : undefined;
  try {
    return new URL(text, base);
  } catch (error) {
    throw new TypeError(`${formatValue(text)} is not a URL`, { cause: error });
  }
}
