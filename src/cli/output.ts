// Results on stdout. Every command prints them by `print`, so that none can lose them without an error.

import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { errorCode, messageOf } from '../node/files.ts';

/** Results could not be written. The message says why. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** The reader of stdout has closed its pipe, as `head` does when it has enough. Nobody reads further results. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

const STDOUT = 1;

/**
 * Writes the text and a line break to stdout, and resolves when the system has taken all of it. Throws an OutputError if it cannot
 * be written, or OutputClosed if nobody reads it: a command that only prints stops then, one that writes files does so before.
 */
export async function print(text: string): Promise<void> {
  const bytes = Buffer.from(`${text}\n`);
  try {
    if (isOnDisk()) writeAll(bytes);
    else await send(bytes);
  } catch (error) {
    throw outputError(error);
  }
}

/** Prints the text and throws the error, which matters more than whether the text could be printed. */
export async function printAndThrow(text: string, error: unknown): Promise<never> {
  await Promise.allSettled([print(text)]);
  throw error;
}

/**
 * Failed writes to stdout are reported by `print`, and those to stderr, which has progress and no results, by nobody. Without
 * these listeners either would end the process.
 */
export function listenForStreamErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** True for files and devices such as /dev/full; false for pipes, sockets and terminals, whose writes may have to wait. */
function isOnDisk(): boolean {
  const found = fstatSync(STDOUT);
  return found.isFile() || (found.isCharacterDevice() && !isatty(STDOUT));
}

/** Node's own stream drops the rest where a nearly full disk takes a part only, so this writes the rest and gets its error. */
function writeAll(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(STDOUT, bytes, done);
}

const send = (bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than allowed',
  EIO: 'the device reports an error',
};

function outputError(error: unknown): OutputError | OutputClosed {
  const code = errorCode(error);
  // A socket, which Node makes for its children, is reset where a pipe is broken. A stream that has failed is destroyed.
  if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_DESTROYED')
    return new OutputClosed('nobody reads the output', { cause: error });
  const reason = REASONS[code ?? ''];
  return new OutputError(
    `the output could not be written: ${reason === undefined ? messageOf(error) : `${reason} (${code})`}`,
    { cause: error },
  );
}
