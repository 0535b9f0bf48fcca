import * as three from 'three/webgpu';
import { Device } from 'wavelight';
import 'wavelight/pixels';
import { pattern } from './pattern.ts';

const SIZE = 128;

/** A renderer and an engine on one GPUDevice; a cube whose faces a net paints, frame by frame, without a copy through the host. */
export async function createScene(canvas: HTMLCanvasElement) {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('this browser has no WebGPU adapter');
  const gpuDevice = await adapter.requestDevice(Device.descriptor(adapter));
  const device = await Device.create({ gpuDevice });
  const renderer = new three.WebGPURenderer({ canvas, device: gpuDevice });
  await renderer.init();
  renderer.setSize(canvas.width, canvas.height, false);

  const paint = pattern(device, SIZE);
  // three.js computes with linear light, to which the GPU decodes an -srgb texture.
  const texture = await (await paint(0)).toTexture({ format: 'rgba8unorm-srgb' });
  const map = new three.ExternalTexture(texture);
  const cube = new three.Mesh(new three.BoxGeometry(), new three.MeshBasicMaterial({ map }));
  const scene = new three.Scene();
  scene.add(cube);
  const camera = new three.PerspectiveCamera(45, canvas.width / canvas.height, 0.1, 10);
  camera.position.z = 2.5;

  return {
    device,
    texture,
    /** Paints and draws the scene as it is after so many seconds. */
    async frame(seconds: number): Promise<void> {
      const colors = await paint(seconds);
      await colors.toTexture({ texture });
      colors.dispose();
      cube.rotation.set(seconds / 3, seconds / 2, 0);
      renderer.render(scene, camera);
    },
  };
}
