/** What a kernel may know of the adapter when it picks its variant and geometry. */
export interface Geometry {
  /** `cpu`: a software adapter (SwiftShader, lavapipe), where registers are fast and workgroup memory is not. */
  readonly kind: 'gpu' | 'cpu';
  readonly maxWorkgroupsPerDimension: number;
  readonly maxInvocationsPerWorkgroup: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Bytes that one binding can span. */
  readonly maxBindingBytes: number;
}
