import type { AdapterProfile } from '../../gpu/profile.ts';

/** The device that a plan is for. */
export interface PlanTarget {
  /** For errors, like "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  readonly geometry: AdapterProfile;
}
