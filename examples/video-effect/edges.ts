import { add, conv2d, sqrt, square, type Device, type PixelSource } from 'wavelight';
import 'wavelight/pixels';

/** Draws the edges in a picture on a canvas: two convolutions by Sobel's filters, compiled into one step. */
export function edgeEffect(
  device: Device,
): (picture: PixelSource, canvas: HTMLCanvasElement) => Promise<void> {
  const luma = device.tensor([0.299, 0.587, 0.114], [1, 3, 1, 1]);
  const sobel = [-1, 0, 1, -2, 0, 2, -1, 0, 1];
  const across = device.tensor(sobel, [1, 1, 3, 3]);
  const down = device.tensor(
    sobel.map((_, i) => sobel[(i % 3) * 3 + Math.floor(i / 3)] ?? 0),
    [1, 1, 3, 3],
  );
  const step = device.compile((frame) => {
    const grey = conv2d(frame, luma);
    const [dx, dy] = [conv2d(grey, across, null, { padding: 1 }), conv2d(grey, down, null, { padding: 1 })];
    return sqrt(add(square(dx), square(dy)));
  });
  return async (picture, canvas) => {
    const frame = device.fromPixels(picture);
    const edges = await step(frame);
    await edges.toCanvas(canvas);
    for (const tensor of [frame, edges]) tensor.dispose();
  };
}
