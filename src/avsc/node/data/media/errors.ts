// Errors about media files: one sentence that begins with the file's name.

import { messageOf } from '../../../../node/files.ts';

/** What is wrong with a media file: the rest of a sentence that begins with its name. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
}

/** What is wrong with a file that was cut, by clauses about what it lacks. */
export const truncated = (...lacks: readonly string[]): string => `is truncated: ${lacks.join(', and ')}`;

/** The error as a sentence that begins with the file's name. A library's own words follow, unless they speak of its own code. */
export function named(path: string, error: unknown): Error {
  return new Error(`${path} ${restOf(error)}`, { cause: error });
}

/** Words of libraries that tell a user nothing. */
const INTERNAL =
  /assert|undefined|null|NaN|is not a|bounds|internal error|error number|tried reading|call stack|BigInt|\(\)/i;

function restOf(error: unknown): string {
  if (error instanceof MediaError) return error.message;
  const words = messageOf(error).replace(/[.;\s]+$/, '');
  const internal = words === '' || INTERNAL.test(words);
  return `cannot be decoded (broken or truncated?)${internal ? '' : `: ${words}`}`;
}
