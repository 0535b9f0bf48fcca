import { RecordingDevice } from '../graph/recording_device.ts';
import type { Tensor } from '../graph/tensor.ts';
import { Runtime } from '../runtime/runtime.ts';

/** A device that runs things, as `Device` does. */
export type RunningDevice = RecordingDevice & { readonly runtime: Runtime };

const isRunning = (recorder: unknown): recorder is RunningDevice =>
  recorder instanceof RecordingDevice && 'runtime' in recorder && recorder.runtime instanceof Runtime;

/** The device of a tensor. Throws an Error if it only plans. */
export function runningDevice({ recorder }: Tensor, what: string): RunningDevice {
  if (!isRunning(recorder)) throw new Error(`${what}: a device that only plans has no elements to draw`);
  return recorder;
}
