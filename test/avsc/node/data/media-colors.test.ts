import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeFrames } from '../../../../src/avsc/node/data/media/decode.ts';
import { turned } from '../../../../src/avsc/node/data/media/pixels.ts';
import { ffmpeg, ffmpegDecode, HAS_FFMPEG } from '../../ffmpeg.ts';
import { temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const WIDTH = 96;
const HEIGHT = 64;
const COLORS: readonly (readonly [number, number, number])[] = [
  [230, 230, 230],
  [200, 60, 40],
  [40, 190, 70],
  [50, 70, 210],
  [220, 200, 40],
  [30, 200, 210],
];

/** Six fields of one color each, for two seconds at 5 frames per second. */
function writeColors(): string {
  const path = join(folder, 'colors.rgb');
  const picture = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
    return COLORS[Math.floor(x / 32) + 3 * Math.floor(y / 32)]?.[i % 3] ?? 0;
  });
  writeFileSync(path, Buffer.concat(Array.from({ length: 10 }, () => picture)));
  return path;
}

function makeVideo(matrix: string, range: string, format: string): string {
  const path = join(folder, `${matrix}-${range}-${format}.mp4`);
  const scale = matrix === 'smpte170m' || matrix === 'bt470bg' ? 'bt601' : matrix;
  ffmpeg(
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${WIDTH}x${HEIGHT}`, '-r', '5', '-i', writeColors()],
    ...['-vf', `scale=out_color_matrix=${scale}:out_range=${range},format=${format}`],
    ...['-colorspace', matrix, '-color_range', range, '-c:v', 'libx264', '-qp', '2', path],
  );
  return path;
}

/** Our first picture against ffmpeg's, turned upright by it. */
async function compare(path: string): Promise<{ worst: number; size: string; first: string }> {
  const { data, width, height } = await decodeFrames(path);
  const reference = ffmpegDecode(path, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24');
  expect(reference.length).toBe(3 * width * height);
  const area = width * height;
  let worst = 0;
  for (let c = 0; c < 3; c++)
    for (let i = 0; i < area; i++)
      worst = Math.max(worst, Math.abs((data[c * area + i] ?? 0) - (reference[3 * i + c] ?? 0)));
  const at = 10 * width + 10;
  return { worst, size: `${width} x ${height}`, first: [0, 1, 2].map((c) => data[c * area + at]).join(', ') };
}

describe.skipIf(!HAS_FFMPEG)("colors are ffmpeg's (needs ffmpeg)", () => {
  it.each(
    ['bt470bg', 'smpte170m', 'bt709', 'bt2020nc'].flatMap((matrix) =>
      ['tv', 'pc'].flatMap((range) =>
        ['yuv420p', 'yuv444p'].map((format) => [matrix, range, format] as const),
      ),
    ),
  )('for the matrix %s, range %s, %s', async (matrix, range, format) => {
    const { worst, first } = await compare(makeVideo(matrix, range, format));
    console.log(`${matrix} ${range} ${format}: differs by ${worst}; light grey is ${first}`);
    expect(worst).toBeLessThanOrEqual(1);
  });

  it.each(
    ['bt470bg', 'bt709', 'bt2020nc'].flatMap((matrix) =>
      ['tv', 'pc'].flatMap((range) => [90, 180, 270].map((angle) => [matrix, range, angle] as const)),
    ),
  )('for the matrix %s, range %s, rotated by %d degrees', async (matrix, range, angle) => {
    const path = join(folder, `${matrix}-${range}-${angle}.mp4`);
    ffmpeg('-i', makeVideo(matrix, range, 'yuv420p'), '-c', 'copy', '-metadata:s:v', `rotate=${angle}`, path);
    const { worst, size } = await compare(path);
    console.log(`${matrix} ${range} rotated by ${angle}: ${size}, differs by ${worst}`);
    expect(size).toBe(angle === 180 ? '96 x 64' : '64 x 96');
    expect(worst).toBeLessThanOrEqual(1);
  });

  it('where the track is mirrored as well', async () => {
    const path = join(folder, 'mirrored.mp4');
    const plain = join(folder, 'plain.mp4');
    ffmpeg('-i', makeVideo('bt709', 'tv', 'yuv420p'), '-c', 'copy', '-metadata:s:v', 'rotate=90', plain);
    const bytes = readFileSync(plain);
    // The matrix in tkhd, version 0: type 4, version and flags 4, six times 4 of times and numbers, 16 of layer and volume.
    const matrix = bytes.indexOf('tkhd') + 4 + 4 + 20 + 16;
    for (const [word, value] of [
      [0, 0],
      [1, 0x10000],
      [3, 0x10000],
      [4, 0],
      [6, 0],
      [7, 0],
    ] as const)
      bytes.writeInt32BE(value, matrix + 4 * word);
    writeFileSync(path, bytes);
    const { worst, size } = await compare(path);
    console.log(`mirrored along its diagonal: ${size}, differs by ${worst}`);
    expect([size, worst]).toEqual(['64 x 96', 0]);
  });
});

describe('a picture', () => {
  const picture = { rgba: new Uint8Array(Uint32Array.of(1, 2, 3, 4, 5, 6).buffer), width: 3, height: 2 };
  const words = (rotation: 0 | 90 | 180 | 270, flip = false): number[] => [
    ...new Uint32Array(turned(picture, rotation, flip).rgba.slice().buffer),
  ];

  it('is turned clockwise, then mirrored', () => {
    expect(words(0)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(words(90)).toEqual([4, 1, 5, 2, 6, 3]);
    expect(words(180)).toEqual([6, 5, 4, 3, 2, 1]);
    expect(words(270)).toEqual([3, 6, 2, 5, 1, 4]);
    expect(words(0, true)).toEqual([3, 2, 1, 6, 5, 4]);
    expect(words(90, true)).toEqual([1, 4, 2, 5, 3, 6]);
  });
});
