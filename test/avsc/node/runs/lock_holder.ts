// Waits for the lock of the folder in argv, and dies with it by SIGKILL.

import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../../src/node/files.ts';
import { withRunLock } from '../../../../src/avsc/node/runs/lock.ts';

const [, , path = ''] = process.argv;
for (;;) {
  await withRunLock(path, async () => {
    mkdirSync(join(path, 'inside')); // Throws if another process is inside.
    await sleep(20);
    rmdirSync(join(path, 'inside'));
    process.kill(process.pid, 'SIGKILL');
    await sleep(60_000);
  }).catch(async (error: unknown) => {
    if (!messageOf(error).includes('is in use by process')) throw error;
    await sleep(1);
  });
}
