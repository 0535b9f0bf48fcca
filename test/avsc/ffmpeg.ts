// Media files made by ffmpeg, where it is installed: pictures that show their number, and sound that is nowhere the same.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** True where ffmpeg and ffprobe are installed. Tests that need them are skipped elsewhere. */
export const HAS_FFMPEG = ['ffmpeg', 'ffprobe'].every((name) => spawnSync(name, ['-version']).status === 0);

const BITS = 12;
const STRIPE = 13;
const WIDTH = 160;
const HEIGHT = 96;
export const SOUND_RATE = 48_000;

export function ffmpeg(...args: readonly string[]): void {
  execFileSync('ffmpeg', ['-y', '-v', 'error', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** What ffmpeg itself decodes: `format` is f32le for sound, rgb24 for pictures, ... */
export function ffmpegDecode(path: string, ...args: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    execFileSync('ffmpeg', ['-v', 'error', '-i', path, ...args, '-'], { maxBuffer: 2 ** 30 }),
  );
}

/** A sample of the left channel of the made-up sound at `t` s: a tone that rises, so that each place sounds different. */
const soundAt = (t: number): number => 0.5 * Math.sin(2 * Math.PI * (200 + 150 * t) * t);

/**
 * ffmpeg's input arguments for pictures that show their number, at `rate` frames per second, and for stereo sound of `seconds`.
 * The raw files are made once in `folder`.
 */
export function rawInputs(
  folder: string,
  rate: string,
  seconds: number,
): { video: string[]; audio: string[] } {
  const pictures = join(folder, 'pictures.gray');
  const sound = join(folder, 'sound.f32');
  if (!existsSync(pictures)) writeFileSync(pictures, numberedPictures(640));
  if (!existsSync(sound)) {
    const samples = new Float32Array(2 * SOUND_RATE * 6);
    for (let i = 0; i < samples.length / 2; i++) {
      samples[2 * i] = soundAt(i / SOUND_RATE);
      samples[2 * i + 1] = -soundAt(i / SOUND_RATE) / 2;
    }
    writeFileSync(sound, new Uint8Array(samples.buffer));
  }
  const raw = ['-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${WIDTH}x${HEIGHT}`, '-r', rate];
  return {
    video: [...raw, '-t', String(seconds), '-i', pictures],
    audio: ['-f', 'f32le', '-ar', String(SOUND_RATE), '-ac', '2', '-t', String(seconds), '-i', sound],
  };
}

/** Stripes from left to right: white for each bit of the picture's number that is set, the lowest first. */
function numberedPictures(count: number): Uint8Array {
  const pictures = new Uint8Array(count * WIDTH * HEIGHT);
  for (let i = 0; i < count; i++) {
    for (let x = 0; x < WIDTH; x++) {
      const value = (i >> Math.min(Math.floor(x / STRIPE), BITS - 1)) & 1 ? 235 : 16;
      for (let y = 0; y < HEIGHT; y++) pictures[(i * HEIGHT + y) * WIDTH + x] = value;
    }
  }
  return pictures;
}

/** The numbers that decoded pictures show. */
export function numbersOf({
  data,
  width,
  height,
}: {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}): number[] {
  const picture = 3 * width * height;
  return Array.from({ length: data.length / picture }, (_, i) => {
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) {
      const at = i * picture + (height >> 1) * width + bit * STRIPE + (STRIPE >> 1);
      if ((data[at] ?? 0) > 128) number |= 1 << bit;
    }
    return number;
  });
}
