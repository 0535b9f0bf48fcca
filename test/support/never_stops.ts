// Work that goes on when it is told to stop.

import { setTimeout as sleep } from 'node:timers/promises';
import { withInterrupt } from '../../src/cli/interrupt.ts';

await withInterrupt(async (signal) => {
  console.error('working');
  while (!signal.aborted) await sleep(5);
  // Until here the signals of one Ctrl-C are one.
  await sleep(1500);
  await sleep(100);
  console.error('armed');
  await sleep(600_000);
});
