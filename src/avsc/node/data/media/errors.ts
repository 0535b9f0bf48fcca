// Errors about media files: one sentence that begins with the file's name.

import type { InputTrack } from 'mediabunny';

/** What is wrong with a media file: the rest of a sentence that begins with its name. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
}

/** What is wrong with a file that was cut, by clauses about what it lacks. */
export const truncated = (...lacks: readonly string[]): string => `is truncated: ${lacks.join(', and ')}`;

/**
 * The error as a sentence that begins with the file's name. The libraries' own words, which speak of their code, are its cause.
 * WAVELIGHT_DEBUG=1 shows them.
 */
export function named(path: string, error: unknown): Error {
  const rest = error instanceof MediaError ? error.message : 'cannot be decoded (broken or truncated?)';
  return new Error(`${path} ${rest}`, { cause: error });
}

/** The name of a track's codec for an error: a short text, or the container's number. */
export async function codecName(track: InputTrack): Promise<string> {
  const id = await track.getInternalCodecId();
  const text = typeof id === 'string' ? id.replace(/[^\x20-\x7e]/g, '').slice(0, 40) : String(id ?? '');
  return text === '' ? 'an unknown codec' : `the codec ${text}`;
}
