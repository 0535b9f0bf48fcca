/**
 * What compiled functions do and how fast, as `wavelight/inspect`: plans with their WGSL, times, ceilings, rooflines.
 *
 * @module wavelight/inspect
 */
import { measureCeilings, type Ceilings, type Roofs } from './gpu/ceilings.ts';
import type { Device } from './tensor/device.ts';

export { explain, inspect, type InspectOptions } from './inspect/inspect.ts';
export { roofline, type Roofline, type RooflinePoint, type TimedWork } from './inspect/roofline.ts';
export type { Reason } from './inspect/sentences.ts';
export type { FusionReason } from './tensor/plan/fuse/reasons.ts';
export { time, type StepTimes, type TimeOptions } from './inspect/time.ts';
export type {
  BufferRole,
  InspectedBinding,
  InspectedDispatch,
  InspectedFusion,
  InspectedMemory,
  InspectedOperation,
  InspectedPlace,
  Inspection,
} from './inspect/types.ts';
export type { ArithmeticUnits } from './gpu/dispatch.ts';
export type { Ceilings, Roofs };

/** Measures for about a second what a device can do at most. Throws an Error if a measured kernel gives a wrong result. */
export const ceilings = (device: Device): Promise<Ceilings> => measureCeilings(device.gpu);
