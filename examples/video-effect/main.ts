// Edges of a camera's pictures, or of a drawing, frame by frame: pictures go into tensors and back without leaving the GPU.

import { Device, type PixelSource } from 'wavelight';
import { drawScene } from './drawing.ts';
import { edgeEffect } from './edges.ts';

const byId = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;

const [input, output] = [byId('input') as HTMLCanvasElement, byId('output') as HTMLCanvasElement];
const status = byId('status');
let source: PixelSource = input;

byId('camera').addEventListener('click', () => {
  void (async () => {
    const video = document.createElement('video');
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    await video.play();
    input.hidden = true;
    source = video;
  })().catch((error: unknown) => (status.textContent = String(error)));
});

try {
  const device = await Device.create();
  const effect = edgeEffect(device);
  for (let frames = 1; ; frames++) {
    const time = await new Promise<number>(requestAnimationFrame);
    if (source === input) drawScene(input, time / 1000);
    await effect(source, output);
    status.textContent = `${frames} frames on ${device.description.name}`;
  }
} catch (error) {
  status.textContent = String(error);
}
