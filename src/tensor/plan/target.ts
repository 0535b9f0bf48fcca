import type { AdapterProfile } from '../../gpu/profile.ts';

/** The device that a plan is for, as far as planning needs to know it. */
export interface PlanTarget {
  /** For errors, like "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  readonly geometry: AdapterProfile;
  /** Bytes that one binding can span. */
  readonly maxStorageBytes: number;
  /** Bytes of the largest buffer. */
  readonly maxBufferBytes: number;
}
