// The page's side of test/browser-examples.test.ts.

import { createScene } from '../../examples/three/scene.ts';

/** What a canvas shows in its middle, RGB, and how many of its pixels are not black. */
async function look(canvas: HTMLCanvasElement): Promise<{ middle: number[]; drawn: number }> {
  const { width, height } = canvas;
  const flat = new OffscreenCanvas(width, height).getContext('2d');
  if (flat === null) throw new Error('there is no 2d canvas');
  flat.drawImage(await createImageBitmap(canvas), 0, 0);
  const { data } = flat.getImageData(0, 0, width, height);
  const at = 4 * ((height >> 1) * width + (width >> 1));
  let drawn = 0;
  for (let i = 0; i < data.length; i += 4)
    drawn += Math.max(data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0) > 0 ? 1 : 0;
  return { middle: [...data.subarray(at, at + 3)], drawn };
}

/** The cube at two moments; at 0 s its front is seen straight, with the texture's middle in the canvas' middle. */
async function threeScene(): Promise<Record<string, unknown>> {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [160, 120];
  const scene = await createScene(canvas);
  await scene.frame(0);
  const first = await look(canvas);
  const pixels = await scene.device.fromPixels(scene.texture).data();
  const size = scene.texture.width;
  const texel = [0, 1, 2].map(
    (channel) => 255 * (pixels[channel * size * size + (size >> 1) * size + (size >> 1)] ?? 0),
  );
  const { copies } = scene.device.counters;
  for (let i = 1; i <= 20; i++) await scene.frame(i / 10);
  const later = await look(canvas);
  return { first, texel, later, copies: scene.device.counters.copies - copies };
}

Object.assign(globalThis, { threeScene });
