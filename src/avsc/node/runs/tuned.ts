// The choices of kernels that a run began with. Others may round otherwise, so a resumed run takes its own.

import type { Device } from '../../../tensor/device.ts';
import { readTuned, writeTuned } from '../../../node/tuned-file.ts';
import { exists, runFiles } from './folder.ts';

/**
 * Lets the device plan by what the run began with: what its folder holds, or in a run that has not trained yet what the device has, which
 * is noted. Gives a function that lets it plan as before. Throws an Error of one sentence for a file that was changed.
 */
export async function useTunedOf(path: string, { gpu }: Device, hasTrained: boolean): Promise<() => void> {
  const file = runFiles(path).tuned;
  const before = gpu.tuned;
  if (hasTrained || (await exists(file))) {
    // Without a file the run began with the usual choices.
    const { tuned, problem } = await readTuned(file, null);
    if (problem !== null) throw new Error(`${path} cannot go on to the same bits: ${problem}`);
    gpu.tuned = tuned;
  } else if (before.multiprocessors !== null || before.products.size > 0) await writeTuned(file, before);
  return () => {
    gpu.tuned = before;
  };
}
