import type { Geometry } from '../../gpu/geometry.ts';

/** The device that a plan is for, as far as planning needs to know it. */
export interface PlanTarget {
  /** For errors, like "NVIDIA H100 80GB HBM3". */
  readonly name: string;
  readonly geometry: Geometry;
  /** Bytes that one binding can span. */
  readonly maxStorageBytes: number;
  /** Bytes of the largest buffer. */
  readonly maxBufferBytes: number;
}
