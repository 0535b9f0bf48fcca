import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StoredFrames } from '../../../../src/avsc/features/frames.ts';
import { decodeImage } from '../../../../src/avsc/node/data/image.ts';
import { decodeFrames, decodeSound } from '../../../../src/avsc/node/data/media/decode.ts';
import { readMedia } from '../../../../src/avsc/node/data/read-media.ts';
import { SHARED, temporaryFolder, writeTone, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();
const media = join(SHARED, 'media');
const withMedia = existsSync(media);

/** Grey value of the middle of each picture. */
function greys({ data, width, height }: StoredFrames): number[] {
  const frame = 3 * width * height;
  return Array.from({ length: data.length / frame }, (_, i) => data[i * frame + (width * height) / 2] ?? 0);
}

describe('pictures of a video', () => {
  it.each([
    ['30', 30, [0, 14, 30, 44]],
    ['29.97', 30_000 / 1001, [0, 14, 30, 44]],
    ['25', 25, [0, 12, 25, 37]],
    ['60', 60, [0, 28, 60, 88]],
  ])(
    'are the first and the fifteenth of each second at %s frames per second',
    async (name, rate, expected) => {
      const path = join(folder, `rate-${name}.mp4`);
      const value = (i: number): number => 40 + 2 * (i % 90);
      await writeVideo(path, {
        rate,
        frames: Math.ceil(rate * 2.1),
        colour: (i) => [value(i), value(i), value(i)],
      });
      const frames = await decodeFrames(path);
      expect([frames.seconds, frames.width, frames.height]).toEqual([2, 64, 48]);
      const wanted = expected.map(value);
      const found = greys(frames);
      console.log(`rate ${name}: wanted ${wanted.join(' ')}, found ${found.join(' ')}`);
      // Neighbouring frames differ by 2.
      found.forEach((grey, i) => expect(Math.abs(grey - (wanted[i] ?? 0))).toBeLessThan(1.5));
    },
  );

  it('are RGB, plane by plane', async () => {
    const path = join(folder, 'red.mp4');
    await writeVideo(path, { rate: 30, frames: 30, colour: () => [220, 60, 20] });
    const { data, width, height } = await decodeFrames(path);
    const area = width * height;
    const means = [0, 1, 2].map(
      (c) => data.subarray(c * area, (c + 1) * area).reduce((a, b) => a + b) / area,
    );
    console.log(`220, 60, 20 decoded as ${means.map((mean) => mean.toFixed(1)).join(', ')}`);
    [220, 60, 20].forEach((value, c) => expect(Math.abs((means[c] ?? 0) - value)).toBeLessThan(6));
  });

  it('are refused when the file is not a video, broken, or shorter than its sound', async () => {
    const short = join(folder, 'short.mp4');
    await writeVideo(short, { rate: 30, frames: 35, colour: (i) => [i, i, i] });
    await expect(decodeFrames(short, 2)).rejects.toThrow(
      /short.mp4 lasts 1.17 s and is shorter than its sound of 2 s/,
    );
    const text = join(folder, 'text.mp4');
    writeFileSync(text, 'not a video at all, but long enough to look into'.repeat(50));
    await expect(decodeFrames(text)).rejects.toThrow(/text.mp4 is not a media file/);
    const empty = join(folder, 'empty.mp4');
    writeFileSync(empty, '');
    await expect(decodeFrames(empty)).rejects.toThrow(/empty.mp4 is not a media file/);
    await expect(decodeFrames(join(folder, 'none.mp4'))).rejects.toThrow(/none.mp4 does not exist/);
    await expect(decodeFrames(folder)).rejects.toThrow(/not a file/);
    const tone = join(folder, 'only-sound.wav');
    writeTone(tone, 1);
    await expect(decodeFrames(tone)).rejects.toThrow(/only-sound.wav has no video track/);
    const cut = join(folder, 'cut.mp4');
    writeFileSync(cut, readFileSync(short));
    truncateSync(cut, Math.floor(readFileSync(short).length / 2));
    await expect(decodeFrames(cut)).rejects.toThrow(/cut.mp4 /);
  });
});

describe('sound', () => {
  it('is read from WAV files with rate and channels as they are', async () => {
    const path = join(folder, 'mono.wav');
    writeTone(path, 0.5, 44_100, 1);
    const { sampleRate, channels } = await decodeSound(path);
    expect([sampleRate, channels.length, channels[0]?.length]).toEqual([44_100, 1, 22_050]);
    truncateSync(path, 1000);
    await expect(decodeSound(path)).rejects.toThrow(/mono.wav: truncated WAV file/);
    await expect(decodeSound(join(folder, 'red.mp4'))).rejects.toThrow(/red.mp4 has no sound/);
  });
});

describe('one media file read in a process', () => {
  const good = join(folder, 'good.mp4');
  /** A copy of the good video whose bytes `change` may change. */
  const damage = (name: string, change: (bytes: Buffer) => void): string => {
    const bytes = readFileSync(good);
    change(bytes);
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };

  it('gives what the file has', async () => {
    await writeVideo(good, { rate: 30, frames: 60, colour: (i) => [3 * i, 255 - i, 99] });
    const video = await readMedia(good);
    expect(video.sound).toBeUndefined();
    expect(video.frames).toEqual(await decodeFrames(good));
    const tone = join(folder, 'tone.wav');
    writeTone(tone, 1.5);
    const sound = await readMedia(tone);
    expect(sound.frames).toBeUndefined();
    expect(sound.sound).toEqual(await decodeSound(tone));
    writeTone(tone, 0.5);
    await expect(readMedia(tone)).rejects.toThrow(/tone.wav lasts less than a second/);
  });

  it('fails in one sentence where FFmpeg refuses the data', async () => {
    const path = damage('noise.mp4', (bytes) => {
      const start = bytes.indexOf('mdat') + 4;
      bytes.fill(0xa5, start, start + 2000);
    });
    await expect(readMedia(path)).rejects.toThrow(/noise.mp4 cannot be decoded \(broken or truncated\?\)/);
  });
});

describe.skipIf(!withMedia)(`real media (needs ${media})`, () => {
  it.each([
    ['bento.mp4', 44_100, 1, 0.998, 1, [0.01, 0.5]],
    ['dc_pancake.mkv', 48_000, 1, 10.361, 10, [0.01, 0.5]],
    // Its 303 AAC packets hold nothing but padding.
    ['ff_in.mp4', 44_100, 2, 7.036, 6, [0, 0]],
    ['mp_chaplin.mp4', 44_100, 2, 9.614, 9, [0.01, 0.5]],
  ])('%s gives sound and pictures', async (name, rate, count, length, seconds, [quiet, strong]) => {
    const path = join(media, name);
    const { sampleRate, channels } = await decodeSound(path);
    expect([sampleRate, channels.length]).toEqual([rate, count]);
    const [first = new Float32Array()] = channels;
    const loud = Math.sqrt(first.reduce((sum, x) => sum + x * x, 0) / first.length);
    expect(first.length / rate).toBeCloseTo(length, 2);
    const video = await decodeFrames(path);
    expect(video.seconds).toBe(seconds);
    const mean = video.data.reduce((a, b) => a + b) / video.data.length;
    console.log(`${name}: root mean square ${loud.toFixed(4)}, mean brightness ${mean.toFixed(1)}`);
    expect(loud).toBeGreaterThanOrEqual(quiet ?? 0);
    expect(loud).toBeLessThanOrEqual(strong ?? 0);
    expect(mean).toBeGreaterThan(10);
    expect(mean).toBeLessThan(245);
  });

  it('an image file becomes a square like a picture of a video', async () => {
    const planes = await decodeImage(join(media, 'mountains.jpg'), { size: 224 });
    expect(planes.length).toBe(3 * 224 * 224);
    const whole = await decodeImage(join(media, 'mountains.jpg'), { size: 224, fit: 'squash' });
    expect(whole).not.toEqual(planes);
    await expect(decodeImage(join(media, 'ff_in.mp4'), { size: 8 })).rejects.toThrow(
      /ff_in.mp4 cannot be read as an image/,
    );
  });
});
