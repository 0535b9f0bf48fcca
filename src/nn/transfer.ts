import type { Device } from '../tensor/device.ts';
import type { Shape } from '../tensor/graph/shape.ts';
import type { Tensor } from '../tensor/graph/tensor.ts';

/** A tensor that no scope disposes, as what outlives a step must be. */
export function createFrom(device: Device, shape: Shape, data: Float32Array<ArrayBuffer>): Tensor {
  const tensor = device.empty(shape);
  upload(tensor, data);
  return tensor;
}

/**
 * Replaces a tensor's elements in its place, after all that was recorded and before whatever follows. `data` must
 * not be changed afterwards. Throws an Error inside a compiled function.
 */
export function upload(tensor: Tensor, data: Float32Array<ArrayBuffer>): void {
  const { device, value } = tensor;
  // Whoever reads what a failed flush should have made is told.
  device.flush().catch(() => undefined);
  void device.queue.run(() => {
    if (value.place !== null) device.gpu.upload(value.place.storage, data);
  });
}
