/** What every call on a device throws, or rejects with, once the device is lost. */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError';
  /** `destroyed` by whoever owns it, or `unknown`: the driver was reset, the GPU was removed or put to sleep, ... */
  readonly reason: GPUDeviceLostReason;

  constructor({ reason, message }: Pick<GPUDeviceLostInfo, 'reason' | 'message'>) {
    const why = message.trim().replace(/\s+/g, ' ').replace(/\.$/, '');
    super(`the device was lost (${reason})${why && `: ${why}`}; open a new one and load the last checkpoint`);
    this.reason = reason;
  }
}
