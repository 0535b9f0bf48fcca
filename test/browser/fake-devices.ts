// Files that Chromium plays as a camera and a microphone.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeWav, makeCamera, makeSound, SCENE_RULES, type Scene } from '../../src/avsc/index.ts';

const SIDE = 96;
const RATE = 48_000;
const FRAMES_PER_SECOND = 30;

/** Chromium's flags for a camera and a microphone that play a made scene again and again, and for a user who allows or refuses them. */
export function fakeDevices(
  folder: string,
  scene: Scene,
  seconds: number,
  user: 'allows' | 'refuses' = 'allows',
): string[] {
  const { sound, picture } = SCENE_RULES[scene];
  const [wav, y4m] = [join(folder, `${scene}.wav`), join(folder, `${scene}.y4m`)];
  writeFileSync(wav, encodeWav(makeSound(sound, 'fake', scene, seconds), RATE, 16));
  const camera = makeCamera(picture, 'fake', scene, SIDE);
  const rgba = new Uint8Array(4 * SIDE * SIDE);
  const frames = Array.from({ length: seconds * FRAMES_PER_SECOND }, (_, i) => {
    camera(i / FRAMES_PER_SECOND, rgba);
    return Buffer.concat([Buffer.from('FRAME\n'), yuv420(rgba, SIDE)]);
  });
  const header = `YUV4MPEG2 W${SIDE} H${SIDE} F${FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n`;
  writeFileSync(y4m, Buffer.concat([Buffer.from(header), ...frames]));
  return [
    user === 'allows' ? '--use-fake-ui-for-media-stream' : '--use-fake-ui-for-media-stream=deny',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${wav}`,
    `--use-file-for-fake-video-capture=${y4m}`,
    '--autoplay-policy=no-user-gesture-required',
  ];
}

/** BT.601 in the range of television, planes of full, half and half resolution. */
function yuv420(rgba: Uint8Array, side: number): Uint8Array {
  const half = side / 2;
  const out = new Uint8Array(side * side + 2 * half * half);
  const at = (x: number, y: number, c: number): number => rgba[4 * (y * side + x) + c] ?? 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [r, g, b] = [at(x, y, 0), at(x, y, 1), at(x, y, 2)];
      out[y * side + x] = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256;
      if (x % 2 !== 0 || y % 2 !== 0) continue;
      const to = side * side + (y / 2) * half + x / 2;
      out[to] = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256;
      out[to + half * half] = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256;
    }
  }
  return out;
}
