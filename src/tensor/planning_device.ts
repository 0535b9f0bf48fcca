import { maxStorageBytes } from '../gpu/profile.ts';
import type { TypedArray } from './graph/dtype.ts';
import { RecordingDevice } from './graph/recording_device.ts';
import type { Tensor } from './graph/tensor.ts';
import type { PlanStatistics } from './plan/statistics.ts';
import type { Target } from '../gpu/profile.ts';
import { planFunction, type InputSpec, type PlanOptions, type StepResult } from './trace.ts';

/**
 * A device that is not there: modules move to it, functions are traced and planned on it, and nothing runs. Elements are not even
 * made, so a net may be larger than this machine's memory. `PROFILES` has adapters to plan for.
 */
export class PlanningDevice extends RecordingDevice {
  /** @internal */
  readonly target: Target;

  constructor(target: Target) {
    super();
    this.target = target;
  }

  override get maxStorageBytes(): number {
    return maxStorageBytes(this.target.geometry);
  }

  /** What a call of the compiled `fn` would do. Throws a RangeError where a tensor is too large for the device. */
  plan(
    fn: (...inputs: Tensor[]) => StepResult,
    inputs: readonly InputSpec[],
    options: Partial<PlanOptions> = {},
  ): PlanStatistics {
    this.flush().catch(() => undefined);
    const { fusionPays, bakeParams } = this.target.geometry;
    return planFunction(this, this.target, fn, inputs, {
      fusion: fusionPays,
      precision: 'f32',
      baked: bakeParams,
      ...options,
    });
  }

  /** Drops what was recorded, since nothing runs here. */
  override flush(): Promise<void> {
    const recording = this.takeRecording();
    this.abandon(recording, new Error(`a device that only plans (${this.target.name}) has computed nothing`));
    return Promise.resolve();
  }

  /** @internal */
  override read(): Promise<TypedArray> {
    return Promise.reject(
      new Error(`a device that only plans (${this.target.name}) has no elements to read`),
    );
  }

  /** @internal */
  override create(): void {
    // No memory, no elements.
  }

  protected override replace(): void {
    // No elements to replace.
  }

  protected override free(): void {
    // No memory to free.
  }

  protected override move(): void {
    // No memory to move in.
  }
}
