// The page's side of test/browser/pictures.test.ts: pictures that only a browser has, into tensors and back.

import '../../src/pixels.ts';
import { Device, type PixelOptions, type PixelSource, type Tensor } from '../../src/index.ts';
import { drawScene } from '../../examples/video-effect/drawing.ts';
import { edgeEffect } from '../../examples/video-effect/edges.ts';
import { soft } from './soft.ts';

/** RGBA bytes, as plain numbers. */
export interface PageBytes {
  readonly data: readonly number[];
  readonly width: number;
  readonly height: number;
}

/** The picture that was given, and the tensors that were made of it, as it is and resized. */
interface Read {
  readonly picture: PageBytes;
  readonly plain: readonly number[];
  readonly resized: readonly number[];
}

const RESIZED: PixelOptions = { resize: [21, 40], size: [17, 30] };

const numbers = async (tensor: Tensor): Promise<number[]> => [...(await tensor.data())];

const imageDataOf = ({ data, width, height }: PageBytes): ImageData =>
  new ImageData(Uint8ClampedArray.from(data), width, height);

const bytesOf = ({ data, width, height }: ImageData): PageBytes => ({ data: [...data], width, height });

function context2d(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this canvas has no 2d context');
  return context;
}

function canvasOf(picture: PageBytes): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [picture.width, picture.height];
  context2d(canvas).putImageData(imageDataOf(picture), 0, 0);
  return canvas;
}

/** What a canvas shows of a picture. */
function shown(source: CanvasImageSource, width: number, height: number): PageBytes {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = context2d(canvas);
  context.drawImage(source, 0, 0);
  return bytesOf(context.getImageData(0, 0, width, height));
}

async function imageOf(canvas: HTMLCanvasElement): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = canvas.toDataURL('image/png');
  await image.decode();
  return image;
}

function offscreenOf(picture: PageBytes): OffscreenCanvas {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext('2d')?.putImageData(imageDataOf(picture), 0, 0);
  return canvas;
}

function frameOf(picture: PageBytes): VideoFrame {
  const { width: codedWidth, height: codedHeight } = picture;
  return new VideoFrame(Uint8Array.from(picture.data), {
    format: 'RGBA',
    codedWidth,
    codedHeight,
    timestamp: 0,
  });
}

/** A video that plays a few frames of a canvas, stopped at one of them. */
async function videoOf(canvas: HTMLCanvasElement): Promise<HTMLVideoElement> {
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm' });
  const chunks: Blob[] = [];
  const stopped = new Promise<void>((resolve) => recorder.addEventListener('stop', () => resolve()));
  recorder.addEventListener('dataavailable', ({ data }) => chunks.push(data));
  recorder.start();
  const context = context2d(canvas);
  for (let i = 0; i < 20; i++) {
    // A canvas that does not change gives no frames.
    context.fillRect(0, 0, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  recorder.stop();
  await stopped;
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(new Blob(chunks, { type: 'video/webm' }));
  await video.play();
  video.pause();
  // A frame that was under way when it was stopped may still come.
  const seeked = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
  video.currentTime = 0.1;
  await seeked;
  return video;
}

/** A frame as cameras give them: YUV, with the colors of videos. */
function cameraFrame(width: number, height: number): VideoFrame {
  const bytes = Uint8Array.from({ length: (width * height * 3) / 2 }, (_, i) => 16 + ((i * 37) % 220));
  const colorSpace = { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', fullRange: false } as const;
  return new VideoFrame(bytes, {
    format: 'I420',
    codedWidth: width,
    codedHeight: height,
    timestamp: 0,
    colorSpace,
  });
}

/** Sources by what they are, each with what its bytes should be. */
async function sourcesOf(
  picture: PageBytes,
): Promise<Record<string, { readonly source: PixelSource; readonly bytes: () => PageBytes }>> {
  const canvas = canvasOf(picture);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const camera = cameraFrame(40, 30);
  const video = await videoOf(canvasOf({ data: soft(64, 48), width: 64, height: 48 }));
  const exactly = (source: PixelSource) => ({ source, bytes: () => picture });
  const asIs = { premultiplyAlpha: 'none', colorSpaceConversion: 'none' } as const;
  return {
    ImageData: exactly(imageDataOf(picture)),
    ImageBitmap: exactly(await createImageBitmap(imageDataOf(picture), asIs)),
    HTMLCanvasElement: exactly(canvas),
    OffscreenCanvas: exactly(offscreenOf(picture)),
    HTMLImageElement: exactly(await imageOf(canvas)),
    'VideoFrame of bytes': exactly(frameOf(picture)),
    'VideoFrame of a canvas': exactly(frame),
    'VideoFrame of a camera': { source: camera, bytes: () => shown(camera, 40, 30) },
    HTMLVideoElement: { source: video, bytes: () => shown(video, video.videoWidth, video.videoHeight) },
  };
}

async function read(device: Device, source: () => PixelSource, bytes: () => PageBytes): Promise<Read> {
  // In one task, so that a video stays at its frame.
  const [picture, plain, resized] = [
    bytes(),
    device.fromPixels(source()),
    device.fromPixels(source(), RESIZED),
  ];
  return { picture, plain: await numbers(plain), resized: await numbers(resized) };
}

/** Every kind of picture that a browser has. */
export async function readAll(device: Device, picture: PageBytes): Promise<Record<string, Read>> {
  const results: Record<string, Read> = {};
  for (const [name, { source, bytes }] of Object.entries(await sourcesOf(picture)))
    results[name] = await read(device, () => source, bytes);
  const { width, height } = picture;
  const frame = frameOf(picture);
  const texture = (): PixelSource => ({
    texture: device.gpu.device.importExternalTexture({ source: frame }),
    width,
    height,
  });
  results['GPUExternalTexture'] = await read(device, texture, () => picture);
  return results;
}

/** Sums of frames that expire, call after call, and what was made for them. */
export async function readFrames(device: Device, picture: PageBytes, calls: number) {
  const canvas = canvasOf(picture);
  const one = (): void => {
    const frame = new VideoFrame(canvas, { timestamp: 0 });
    device.fromPixels(frame, { size: 16 }).dispose();
    frame.close();
  };
  one();
  await device.sync();
  const before = device.counters;
  for (let i = 0; i < calls; i++) {
    one();
    if (i % 50 === 0) await device.sync();
  }
  await device.sync();
  return { before, after: device.counters };
}

/** Why pictures without pixels are refused, by what they are. */
export async function refusals(device: Device, picture: PageBytes): Promise<Record<string, string>> {
  const bitmap = await createImageBitmap(imageDataOf(picture));
  bitmap.close();
  const frame = frameOf(picture);
  const texture = device.gpu.device.importExternalTexture({ source: frame });
  const closed = frameOf(picture);
  closed.close();
  const sources: Record<string, unknown> = {
    bitmap,
    frame: closed,
    video: document.createElement('video'),
    image: new Image(),
    canvas: Object.assign(document.createElement('canvas'), { width: 0 }),
    external: texture,
    'wide colors': new ImageData(2, 2, { colorSpace: 'display-p3' }),
  };
  const reasons = Object.entries(sources).map(([name, source]): [string, string] => {
    try {
      device.fromPixels(source as PixelSource);
      return [name, 'was taken'];
    } catch (error) {
      return [name, String(error)];
    }
  });
  const drawn = await device
    .fromPixels(imageDataOf(picture))
    .toCanvas(canvasOf(picture))
    .then(() => 'was taken', String);
  return { ...Object.fromEntries(reasons), 'canvas with 2d': drawn };
}

/** NaN for each number of an external texture of another size than was said. */
export async function wrongSize(device: Device, picture: PageBytes): Promise<boolean[]> {
  const frame = frameOf(picture);
  const { width, height } = picture;
  const tensors = [{}, { size: 7 }].map((options) => {
    const texture = device.gpu.device.importExternalTexture({ source: frame });
    return device.fromPixels({ texture, width: width - 1, height }, options);
  });
  const all = await Promise.all(tensors.map(numbers));
  return all.map((values) => values.every(Number.isNaN));
}

/** A picture into a tensor, onto canvases, and back from them. */
export async function drawAll(device: Device, picture: PageBytes): Promise<Record<string, PageBytes>> {
  const { width, height } = picture;
  const x = device.fromPixels(imageDataOf(picture), { mean: 0.5, std: 0.25 });
  const normal = { mean: 0.5, std: 0.25 };
  const canvas = document.createElement('canvas');
  await x.toCanvas(canvas, normal);
  const onCanvas = shown(canvas, width, height);
  // Again, on the canvas that is configured now.
  await x.toCanvas(canvas, normal);
  const again = shown(canvas, width, height);
  await x.toCanvas(canvas, normal);
  const back = await device.fromPixels(canvas).toTexture();
  const offscreen = new OffscreenCanvas(1, 1);
  await x.toCanvas(offscreen, normal);
  const onOffscreen = shown(await createImageBitmap(offscreen), width, height);
  const own = document.createElement('canvas');
  [own.width, own.height] = [width, height];
  const context = own.getContext('webgpu');
  context?.configure({ device: device.gpu.device, format: 'rgba16float', alphaMode: 'opaque' });
  await x.toCanvas(own, normal);
  const onOwn = shown(own, width, height);
  const planes = [0, 1, 2, 3].flatMap((c) =>
    Array.from({ length: width * height }, (_, i) => (c === 3 ? 128 : (picture.data[4 * i + c] ?? 0)) / 255),
  );
  await device.tensor(planes, [4, height, width]).toCanvas(canvas);
  const transparent = shown(canvas, width, height);
  const texture = await numbers(device.fromPixels(back));
  back.destroy();
  return {
    'a canvas': onCanvas,
    'the same canvas': again,
    'an OffscreenCanvas': onOffscreen,
    "the page's own canvas": onOwn,
    'a canvas with alpha': transparent,
    'a texture': { data: texture.map((value) => Math.round(value * 255)), width, height },
  };
}

/** A frame of examples/video-effect: what goes in, and what comes out of the third frame. */
export async function edges(
  device: Device,
  { width, height }: PageBytes,
): Promise<{ input: PageBytes; output: PageBytes }> {
  const [input, output] = [document.createElement('canvas'), document.createElement('canvas')];
  [input.width, input.height] = [width, height];
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- here the types of 'wavelight' are those for Node
  const effect = edgeEffect(device);
  for (const time of [0, 1, 2]) {
    drawScene(input, time);
    await effect(input, output);
  }
  return { input: shown(input, width, height), output: shown(output, width, height) };
}
