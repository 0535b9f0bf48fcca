// The page's side of test/browser-weights.test.ts, which calls these by name.

import { SceneClassifier, type ListenResult, type SceneInput } from '../../src/avsc/index.ts';
import { Device, nn } from '../../src/index.ts';
import { pictureBytes, soundOf } from './weights-scenario.ts';

/** Opens a checkpoint and reads all of it; gives a sum of its bits, and what the progress said at last. */
async function open(source: string, options: { cache?: boolean | 'force' } = {}) {
  let last: nn.Progress | null = null;
  const { tensors } = await nn.openCheckpoint(source, {
    ...options,
    onProgress: (progress) => (last = progress),
  });
  const parts = await Promise.all([...tensors.values()].map((tensor) => tensor.readBytes()));
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
  const sha256 = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { sha256, last };
}

/** The same, but of a Blob that the page has fetched, by its URL. */
async function openBlob(source: string) {
  const url = URL.createObjectURL(await (await fetch(source)).blob());
  try {
    return await open(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The message of the error of opening. */
async function refusal(source: string): Promise<string> {
  return open(source).then(
    () => 'it was opened',
    (error: unknown) => (error as Error).message,
  );
}

async function withScene<T>(
  source: string,
  work: (scene: SceneClassifier, device: Device) => Promise<T>,
): Promise<T> {
  const device = await Device.create({ adapter: 'software' });
  const scene = await SceneClassifier.load(device, source);
  try {
    return await work(scene, device);
  } finally {
    scene.dispose();
    await device.destroy();
  }
}

/** Probabilities of the same second in the forms in which a page may have it, by name. */
function classify(source: string): Promise<Record<string, number[]>> {
  return withScene(source, async (scene, device) => {
    const audio = soundOf(48_000);
    const bytes = [pictureBytes(0), pictureBytes(1)] as const;
    const images = bytes.map(
      ({ data, width, height }) => new ImageData(new Uint8ClampedArray(data), width, height),
    );
    const [first, second] = images as [ImageData, ImageData];
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: first.width, height: first.height });
    canvas.getContext('2d')?.putImageData(first, 0, 0);
    const buffer = new AudioBuffer({ length: 48_000, numberOfChannels: 2, sampleRate: 48_000 });
    audio.forEach((channel, i) => buffer.copyToChannel(channel, i));
    const small = [pictureBytes(0, 200, 150), pictureBytes(1, 180, 170)].map(
      ({ data, width, height }) => new ImageData(new Uint8ClampedArray(data), width, height),
    );
    const drawn = await Promise.all(small.map((image) => createImageBitmap(image)));
    const onCanvas = document.createElement('canvas');
    Object.assign(onCanvas, { width: 200, height: 150 });
    onCanvas.getContext('2d')?.putImageData(small[0] as ImageData, 0, 0);
    const smallFrame = new VideoFrame(drawn[1] as ImageBitmap, { timestamp: 0 });
    const bitmap = await createImageBitmap(second);
    const frame = new VideoFrame(bitmap, { timestamp: 0 });
    const sound = { audio, sampleRate: 48_000 };
    const inputs: Record<string, SceneInput> = {
      bytes: { ...sound, images: bytes },
      imageData: { ...sound, images: [first, second] },
      drawn: { audio: buffer, images: [canvas, bitmap] },
      frame: { audio: buffer, images: [await createImageBitmap(first), frame] },
      rate: { audio: soundOf(44_100), sampleRate: 44_100, images: bytes },
      smallBytes: { ...sound, images: small as [ImageData, ImageData] },
      smallDrawn: { ...sound, images: drawn as [ImageBitmap, ImageBitmap] },
      smallFrame: { ...sound, images: [onCanvas, smallFrame] },
      sound,
      pictures: { images: bytes },
    };
    const results: Record<string, number[]> = {};
    const before = device.counters;
    for (const [name, input] of Object.entries(inputs))
      results[name] = Array.from((await scene.classify(input)).probabilities);
    const { pipelinesCreated } = device.counters;
    results['pipelines'] = [pipelinesCreated - before.pipelinesCreated];
    frame.close();
    smallFrame.close();
    return results;
  });
}

type Heard = Pick<ListenResult, 'second' | 'dropped' | 'models'> & { readonly sum: number };

/** Judges a camera and a microphone for some seconds, then leaves the loop. */
function listen(source: string, seconds: number, kinds: MediaStreamConstraints) {
  return withScene(source, async (scene) => {
    const stream = await navigator.mediaDevices.getUserMedia(kinds);
    const heard: Heard[] = [];
    for await (const { second, dropped, models, probabilities } of scene.listen(stream)) {
      heard.push({ second, dropped, models, sum: probabilities.reduce((sum, p) => sum + p, 0) });
      if (heard.length === seconds) break;
    }
    const live = stream.getTracks().every(({ readyState }) => readyState === 'live');
    for (const track of stream.getTracks()) track.stop();
    return { heard, live };
  });
}

/** How listening ends: when the stream does, when a signal aborts, and if nothing can be judged. */
function endings(source: string) {
  return withScene(source, async (scene) => {
    const all = { audio: true, video: true };
    const stream = await navigator.mediaDevices.getUserMedia(all);
    let atEnd = 0;
    for await (const { second } of scene.listen(stream)) {
      atEnd = second;
      for (const track of stream.getTracks()) track.stop();
    }
    const other = await navigator.mediaDevices.getUserMedia(all);
    const control = new AbortController();
    setTimeout(() => control.abort(new Error('enough')), 300);
    const reasons: string[] = [];
    try {
      for await (const { second } of scene.listen(other, { signal: control.signal }))
        reasons.push(String(second));
    } catch (error) {
      reasons.push((error as Error).message);
    }
    for (const track of other.getTracks()) track.stop();
    const ended = await scene
      .listen(other)
      .next()
      .catch((error: unknown) => (error as Error).message);
    return { atEnd, reasons, ended };
  });
}

/** A consumer that takes 2.5 s for each second. */
function slow(source: string) {
  return withScene(source, async (scene) => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const heard: { second: number; dropped: number }[] = [];
    const told: [number, string][] = [];
    const onDropped = (second: number, reason: string): void => void told.push([second, reason]);
    for await (const { second, dropped } of scene.listen(stream, { onDropped })) {
      heard.push({ second, dropped });
      if (heard.length === 3) break;
      await new Promise((resolve) => setTimeout(resolve, 2500));
    }
    for (const track of stream.getTracks()) track.stop();
    return { heard, told };
  });
}

const clear = nn.clearCheckpointCache;
Object.assign(globalThis, { page: { open, openBlob, refusal, classify, listen, endings, slow, clear } });
