/* Tunes a device, and keeps what is found in its adapter's file. */
import { measureMultiprocessors } from '../gpu/multiprocessors.ts';
import type { TunedProduct } from '../gpu/tuned.ts';
import type { CompiledFunction } from '../tensor/compile.ts';
import type { Device } from '../tensor/device.ts';
import type { StepResult } from '../tensor/trace.ts';
import { tune, type TuneResult, type TuneSummary } from '../tensor/tune/tune.ts';
import { addTuned, tunedPath } from './tuned-file.ts';

/** Problems that are measured between two writes of the file. */
const KEEP_EVERY = 16;

/** The file that the device's tuning goes to. */
export const tuningFile = ({ gpu }: Device): string => tunedPath(gpu.device.adapterInfo);

/** Measures how many workgroups run side by side, if that is not known. */
export async function tuneMultiprocessors(device: Device): Promise<number> {
  const { multiprocessors } = device.gpu.tuned;
  if (multiprocessors !== null) return multiprocessors;
  const measured = await measureMultiprocessors(device.gpu);
  await keep(device, new Map(), measured);
  return measured;
}

interface TuneStepOptions {
  readonly onResult: (result: TuneResult, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Measures the choices of a function that was called, apart from those that are known, and lets the device use the best ones in plans
 * made from now on. When the signal aborts, what was measured is kept and the signal's reason thrown.
 */
export async function tuneStep(
  device: Device,
  step: CompiledFunction<StepResult>,
  { onResult, signal }: TuneStepOptions,
): Promise<TuneSummary> {
  const found = new Map<string, TunedProduct>();
  try {
    return await tune(step, {
      known: device.gpu.tuned.products,
      ...(signal && { signal }),
      onResult: async (result, done, total) => {
        onResult(result, done, total);
        found.set(result.key, result.entry);
        if (found.size % KEEP_EVERY === 0) await keep(device, found);
      },
    });
  } finally {
    if (found.size > 0) await keep(device, found);
  }
}

/** Other processes may have measured meanwhile: the device takes what they found too. */
async function keep(
  { gpu }: Device,
  products: ReadonlyMap<string, TunedProduct>,
  multiprocessors: number | null = null,
): Promise<void> {
  const { adapterInfo } = gpu.device;
  gpu.tuned = await addTuned(tunedPath(adapterInfo), adapterInfo, { multiprocessors, products });
}
