// Work on several files, of which a bad one does not end the command.

import { messageOf } from '../node/files.ts';
import { say } from './say.ts';
import { printable } from './table.ts';

/**
 * Runs `work` on one file after another. An error whose message begins with the file's name is about that file: it is reported on
 * stderr, and the others go on. Any other error concerns them all and is thrown at once. Throws at the end if a file could not be
 * used.
 */
export async function eachFile(
  files: readonly string[],
  work: (file: string) => Promise<void>,
): Promise<void> {
  let failed = 0;
  for (const file of files) {
    try {
      await work(file);
    } catch (error) {
      const message = printable(messageOf(error));
      if (files.length === 1 || !message.startsWith(printable(file))) throw error;
      say(`wavelight: ${message}`);
      failed += 1;
    }
  }
  if (failed > 0) throw new Error(`${failed} of ${files.length} files could not be used`);
}
