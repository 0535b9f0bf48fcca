// Runs a net with PyTorch's weights in a page: npx vite examples/page-weights

import { Device, nn, noGrad, softmax } from 'wavelight';
import { CLASSES, makeNet, makeStripes, SIZE } from '../stripes.ts';

/** The page's first element of this name. */
function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag): HTMLElementTagNameMap[Tag] {
  const found = document.querySelector(tag);
  if (found === null) throw new Error(`the page has no ${tag}`);
  return found;
}
const button = element('button');
const output = element('output');
const progress = element('progress');
const canvas = element('canvas');
const context = canvas.getContext('2d', { willReadFrequently: true });
if (context === null) throw new Error('this browser has no 2D canvas');

/** The net with the weights of a file, which may be safetensors or Keras' HDF5 as well. Kept by the browser for the next visit. */
async function loadNet(device: Device, url: string | URL): Promise<nn.Sequential> {
  const file = await nn.openCheckpoint(url, {
    cache: true,
    onProgress: ({ loaded, total }) => (progress.value = loaded / (total ?? Infinity)),
  });
  const read = async ([name, tensor]: [string, nn.CheckpointTensor]) => [name, await tensor.read()] as const;
  const net = makeNet();
  net.loadStateDict(new Map(await Promise.all([...file.tensors].map(read))));
  net.to(device).eval();
  return net;
}

const device = await Device.create();
const net = await loadNet(device, new URL('stripes.pth', import.meta.url));
const predict = device.compile((x) => noGrad(() => softmax(net.forward(x), 1)));

/** Judges what is on the canvas, as grays from -1 to 1. */
async function judge(picture: CanvasRenderingContext2D): Promise<void> {
  output.value = 'judging';
  const { data } = picture.getImageData(0, 0, SIZE, SIZE);
  const grays = Float32Array.from(
    { length: SIZE * SIZE },
    (_, i) => ((data[4 * i] ?? 0) + (data[4 * i + 1] ?? 0) + (data[4 * i + 2] ?? 0)) / 382.5 - 1,
  );
  const probabilities = await (await predict({ data: grays, shape: [1, 1, SIZE, SIZE] })).data();
  output.value = CLASSES.map((name, i) => `${name} ${((probabilities[i] ?? 0) * 100).toFixed(1)} %`).join(
    ', ',
  );
}

/** Draws stripes as a picture of grays; gives which way they run. */
function drawStripes(on: CanvasRenderingContext2D): string {
  const { images, labels } = makeStripes(1);
  const picture = new ImageData(SIZE, SIZE);
  images.forEach((value, i) => {
    const gray = Math.max(0, Math.min(255, 127.5 * (value + 1)));
    picture.data.set([gray, gray, gray, 255], 4 * i);
  });
  on.putImageData(picture, 0, 0);
  return CLASSES[labels[0] ?? 0] ?? '';
}

button.addEventListener('click', () => {
  canvas.dataset['drawn'] = drawStripes(context);
  void judge(context);
});
element('input').addEventListener('change', ({ target }) => {
  const [file] = (target as HTMLInputElement).files ?? [];
  if (file === undefined) return;
  void createImageBitmap(file).then((bitmap) => {
    context.drawImage(bitmap, 0, 0, SIZE, SIZE);
    return judge(context);
  });
});
button.click();
