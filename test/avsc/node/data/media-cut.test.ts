import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFrames, decodeMedia, decodeSound } from '../../../../src/avsc/node/data/media/decode.ts';
import { inspectContainer } from '../../../../src/avsc/node/data/media/container.ts';
import { readMedia } from '../../../../src/avsc/node/data/read-media.ts';
import { ffmpeg, HAS_FFMPEG, rawInputs } from '../../ffmpeg.ts';
import { temporaryFolder, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();

/** A copy that ends after a share of the file. */
function cut(path: string, share: number): string {
  const bytes = readFileSync(path);
  const name = path.replace(/\.(\w+)$/, `-${100 * share}.$1`);
  writeFileSync(name, bytes.subarray(0, Math.floor(bytes.length * share)));
  return name;
}

describe.skipIf(!HAS_FFMPEG)('a file that was cut (needs ffmpeg)', () => {
  beforeAll(() => {
    const { video, audio } = rawInputs(folder, '30', 5);
    const h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];
    const make = (name: string, ...options: string[]): void =>
      ffmpeg(...video, ...audio, ...options, join(folder, name));
    make('head.mp4', ...h264, '-movflags', '+faststart');
    make('tail.mp4', ...h264);
    make('fragments.mp4', ...h264, '-movflags', 'frag_keyframe+empty_moov');
    make('clusters.mkv', ...h264, '-cluster_time_limit', '500');
    make('stream.ts', ...h264);
    for (const name of ['sound.mp3', 'sound.flac', 'sound.m4a']) ffmpeg(...audio, join(folder, name));
  });

  it.each([
    ['head.mp4', 0.9, 4],
    ['head.mp4', 0.3, 1],
    ['fragments.mp4', 0.9, 4],
    ['clusters.mkv', 0.9, 4],
    ['stream.ts', 0.9, 4],
  ])('%s, of which %d is left, gives its whole seconds and says so', async (name, share, seconds) => {
    const path = cut(join(folder, name), share);
    const { frames, sound, truncated, warnings } = await readMedia(path);
    console.log(
      `${frames?.seconds} s of pictures, ${sound?.channels[0]?.length} samples; ${warnings.join('; ')}`,
    );
    expect(frames?.seconds).toBe(seconds);
    expect(truncated).toBe(true);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(new RegExp(`^${path} is truncated: its .+[^.]$`));
    await expect(decodeSound(path)).rejects.toThrow(`${path} is truncated: its`);
    await expect(decodeFrames(path)).rejects.toThrow(`${path} is truncated: its`);
  });

  it.each([
    ['sound.mp3', 0.6],
    ['sound.flac', 0.6],
  ])('%s, of which %d is left, gives its sound and says so', async (name, share) => {
    const path = cut(join(folder, name), share);
    const { sound, truncated, warnings } = await decodeMedia({ path });
    const seconds = (sound?.channels[0]?.length ?? 0) / 48_000;
    const error = Math.abs(seconds - 5 * share);
    console.log(`${warnings.join('; ')}; ${error.toFixed(2)} s from the share of its bytes`);
    // Measured: 0.00 s and 0.02 s. Frames of sound have 24 and 96 ms.
    expect(error).toBeLessThan(0.1);
    expect(truncated).toBe(true);
    expect(warnings).toEqual([
      expect.stringMatching(/is truncated: its sound ends at \d\.\d\d s of 5\.\d\d s$/),
    ]);
    await expect(decodeSound(path)).rejects.toThrow('is truncated: its sound ends');
  });

  it.each(['tail.mp4', 'sound.m4a'])('%s is refused, because its tables are at its end', async (name) => {
    const path = cut(join(folder, name), 0.9);
    const { size } = { size: readFileSync(path).length };
    for (const read of [decodeMedia({ path }), decodeSound(path), decodeFrames(path)])
      await expect(read).rejects.toThrow(
        new RegExp(`${path} is truncated: its header describes \\d+ bytes, it has ${size}$`),
      );
  });

  it.each([
    'head.mp4',
    'tail.mp4',
    'fragments.mp4',
    'clusters.mkv',
    'stream.ts',
    'sound.mp3',
    'sound.flac',
    'sound.m4a',
  ])('is not a whole one: %s', async (name) => {
    const { truncated, warnings } = await decodeMedia({ path: join(folder, name) });
    expect([truncated, warnings]).toEqual([false, []]);
  });
});

describe.skipIf(!HAS_FFMPEG)('a codec that is not decoded (needs ffmpeg)', () => {
  it.each([
    ['mp4v.mp4', ['-c:v', 'mpeg4', '-c:a', 'aac'], 'has pictures in the codec mp4v'],
    ['ffv1.mkv', ['-c:v', 'ffv1', '-c:a', 'aac'], 'has pictures in the codec V_MS/VFW/FOURCC'],
    ['wma.mkv', ['-c:v', 'libx264', '-c:a', 'wmav2'], 'has sound in the codec A_MS/ACM'],
  ])('is named: %s', async (name, coding, problem) => {
    const { video, audio } = rawInputs(folder, '30', 2);
    ffmpeg(...video, ...audio, ...coding, join(folder, name));
    await expect(decodeMedia({ path: join(folder, name) })).rejects.toThrow(
      `${join(folder, name)} ${problem}, which this program does not decode`,
    );
  });
});

describe('tables of an mp4 file that list more than it can hold', () => {
  const good = join(folder, 'good.mp4');
  beforeAll(() => writeVideo(good, { rate: 30, frames: 60, colour: (i) => [3 * i, 255 - i, 99] }));

  it.each([
    // Offsets from the box's name: version and flags 4, number of entries 4, the first entry.
    ['stts', 12, 2 ** 32 - 1, /table stts lists \d+ samples, its table of sizes 60$/],
    ['stsc', 16, 2 ** 31, /table stsc lists 2147483648 samples, its table of sizes 60$/],
    ['stsz', 12, 2 ** 31, /table of sizes says 2147483648 samples, there is room for 60$/],
  ])('are refused before they are read: %s', async (box, offset, value, message) => {
    const bytes = readFileSync(good);
    bytes.writeUInt32BE(value, bytes.indexOf(box) + offset);
    const path = join(folder, `absurd-${box}.mp4`);
    writeFileSync(path, bytes);
    await expect(readMedia(path)).rejects.toThrow(message);
    await expect(readMedia(path)).rejects.toThrow(`${path} is broken`);
  });

  it('and frames of AAC without a length are refused', async () => {
    const path = join(folder, 'endless.aac');
    const frame = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x00, 0xfc, 0];
    writeFileSync(
      path,
      Uint8Array.from([...frame, 0xff, 0xf1, 0x4c, 0x80, 0, 0, 0, ...new Array<number>(99).fill(1)]),
    );
    await expect(decodeMedia({ path })).rejects.toThrow(`${path} is broken: its frame at byte 8 has 0 bytes`);
  });

  it('and boxes, elements and bytes of any kind end the inspection', () => {
    const path = join(folder, 'odd.bin');
    const text = (s: string): number[] => [...Buffer.from(s)];
    const inspect = (...bytes: number[]): string | null => {
      writeFileSync(path, Uint8Array.from(bytes));
      return inspectContainer(path).cut;
    };
    expect(inspect()).toBeNull();
    expect(inspect(0, 0, 0, 0, ...text('ftyp'), 0, 0, 0, 0)).toBeNull();
    expect(inspect(0, 0, 0, 1, ...text('ftyp'), 255, 255, 255, 255, 255, 255, 255, 255)).toMatch(
      /its header describes 1844/,
    );
    expect(inspect(0, 0, 0, 7, ...text('ftyp'), 0, 0, 0, 0)).toBeNull();
    expect(inspect(0x1a, 0x45, 0xdf, 0xa3, 0, 0, 0, 0, 0, 0, 0, 0)).toBeNull();
    expect(inspect(0x1a, 0x45, 0xdf, 0xa3, 0x81, 0, 0x18, 0x53, 0x80, 0x67, 0xff, 1)).toBeNull();
    expect(inspect(0x1a, 0x45, 0xdf, 0xa3, 0x81, 0, 0x18, 0x53, 0x80, 0x67, 0x84, 1)).toBe(
      'its header describes 15 bytes, it has 12',
    );
  });
});
