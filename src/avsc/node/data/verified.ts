// Files that this process has verified, so that the runs of a table do not read a whole store again and again.

import { stat } from 'node:fs/promises';

/** By path, size and time of the last change of each file when it was verified. */
const verified = new Map<string, string>();

/** Remembers that files are whole. */
export async function rememberVerified(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const stamp = await stampOf(path);
    if (stamp !== undefined) verified.set(path, stamp);
  }
}

/** True if all files are as they were when this process verified them. */
export async function areVerified(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    const known = verified.get(path);
    if (known === undefined || known !== (await stampOf(path))) return false;
  }
  return true;
}

async function stampOf(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.size} ${found.ctimeNs} ${found.ino}`;
}
