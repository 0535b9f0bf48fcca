// A net paints the faces of a cube that three.js draws: npm run build && npx vite examples/three

import { createScene } from './scene.ts';

const canvas = document.querySelector('canvas') as HTMLCanvasElement;
const status = document.querySelector('p') as HTMLElement;
try {
  const scene = await createScene(canvas);
  for (let frames = 1; ; frames++) {
    await scene.frame((await new Promise<number>(requestAnimationFrame)) / 1000);
    status.textContent = `${frames} frames on ${scene.device.description.name}`;
  }
} catch (error) {
  status.textContent = String(error);
}
