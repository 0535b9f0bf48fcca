// What the net sees and hears, on canvases, with what counts for its judgement laid over it.

import {
  logMelFeatures,
  resample,
  SAMPLE_RATE,
  toStereo,
  type Explanation,
  type Relevance,
  type SceneInput,
} from 'wavelight/avsc';
import { byId } from '../shared/page.ts';

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('This browser has no 2D canvas.');
  return context;
}

/** Draws the frames at the net's size, squashed and cut as for the net, dimmed where they do not speak for the scene. */
export function showFrames({ images }: SceneInput, size: number, explanation: Explanation | null): void {
  const list = Array.isArray(images) ? (images as readonly unknown[]) : [images];
  (['first', 'second'] as const).forEach((id, i) => {
    const canvas = byId(id, 'canvas');
    canvas.width = canvas.height = size;
    const picture = list[i] ?? list[0];
    canvas.ariaLabel = picture === undefined ? 'No picture' : `Frame ${i + 1} of the second`;
    if (!(picture instanceof ImageData)) return;
    const context = contextOf(canvas);
    const whole = new OffscreenCanvas(picture.width, picture.height);
    whole.getContext('2d')?.putImageData(picture, 0, 0);
    // The net's side is 224 of 256: the rim is cut off.
    const [x, y] = [picture.width / 16, picture.height / 16];
    context.imageSmoothingQuality = 'high';
    context.drawImage(whole, x, y, 14 * x, 14 * y, 0, 0, size, size);
    const cam = explanation?.frames?.[i];
    if (cam !== undefined) dim(context, cam);
  });
}

/** Black over the canvas, the less the more an element counts. */
function dim(context: CanvasRenderingContext2D, { shape: [rows = 1, columns = 1], data }: Relevance): void {
  const most = Math.max(...data, Number.MIN_VALUE);
  const veil = new ImageData(columns, rows);
  data.forEach((value, i) => (veil.data[4 * i + 3] = Math.round(190 * (1 - value / most))));
  const small = new OffscreenCanvas(columns, rows);
  small.getContext('2d')?.putImageData(veil, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
}

/** Draws the log-mel spectrogram of the left channel, dimmed where the judgement does not depend on it. */
export function showSound({ audio, sampleRate }: SceneInput, explanation: Explanation | null): void {
  const canvas = byId('sound', 'canvas');
  const channels = channelsOf(audio);
  canvas.ariaLabel = channels === null ? 'No sound' : 'Log-mel spectrogram of the second';
  contextOf(canvas).clearRect(0, 0, canvas.width, canvas.height);
  if (channels === null || sampleRate === undefined) return;
  const sound = channels.map((channel) => resample(channel, sampleRate, SAMPLE_RATE));
  const { data, shape } = logMelFeatures(toStereo(sound), SAMPLE_RATE);
  const [, mels, frames] = shape;
  const gradient = explanation?.sound?.data;
  const size = mels * frames;
  const counts = gradient && Array.from({ length: size }, (_, i) => Math.abs(gradient[i] ?? 0));
  const most = counts && Math.max(...counts, Number.MIN_VALUE);
  const image = new ImageData(frames, mels);
  for (let i = 0; i < size; i++) {
    const share = counts && most ? 0.25 + 0.75 * Math.sqrt((counts[i] ?? 0) / most) : 1;
    const value = Math.min(1, Math.max(0, data[i] ?? 0)) * share;
    // Low tones stand below.
    const at = 4 * ((mels - 1 - Math.floor(i / frames)) * frames + (i % frames));
    image.data.set([255 * Math.min(1, 1.6 * value), 255 * value ** 1.6, 255 * (0.25 + 0.5 * value), 255], at);
  }
  canvas.width = frames;
  canvas.height = mels;
  contextOf(canvas).putImageData(image, 0, 0);
}

function channelsOf(audio: SceneInput['audio']): readonly Float32Array[] | null {
  if (audio === undefined) return null;
  if (audio instanceof Float32Array) return [audio];
  if ('getChannelData' in audio)
    return Array.from({ length: audio.numberOfChannels }, (_, i) => audio.getChannelData(i));
  return audio;
}
