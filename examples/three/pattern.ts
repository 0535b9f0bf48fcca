import { nn, noGrad, sigmoid, tanh, type Device, type Tensor } from 'wavelight';

/** Inputs of a pixel: x, y, its distance from the middle, and the time, which is the same for all of them. */
const INPUTS = 4;

/**
 * A net from a pixel's place and the time to its color, with random weights: a pattern [1, 3, size, size] of values between 0 and 1
 * that flows with the time.
 */
export function pattern(device: Device, size: number): (seconds: number) => Promise<Tensor> {
  const layers = [INPUTS, 16, 16].map((inputs) => new nn.Conv2d(inputs, 16, 1).to(device));
  const last = new nn.Conv2d(16, 3, 1).to(device);
  const step = device.compile((places: Tensor) =>
    noGrad(() => {
      const hidden = layers.reduce((x, layer) => tanh(layer.forward(x).mul(3)), places);
      return sigmoid(last.forward(hidden).mul(6));
    }),
  );
  const at = (i: number): number => (4 * (i + 0.5)) / size - 2;
  return (seconds) => {
    const data = new Float32Array(INPUTS * size * size);
    for (let pixel = 0; pixel < size * size; pixel++) {
      const [x, y] = [at(pixel % size), at(Math.floor(pixel / size))];
      [x, y, Math.hypot(x, y), Math.sin(seconds)].forEach(
        (value, k) => (data[k * size * size + pixel] = value),
      );
    }
    return step({ data, shape: [1, INPUTS, size, size] });
  };
}
