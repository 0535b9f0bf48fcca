import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeMedia, type Media } from '../../../../src/avsc/node/data/media/decode.ts';
import { ffmpeg, ffmpegDecode, HAS_FFMPEG, numbersOf, rawInputs, SOUND_RATE } from '../../ffmpeg.ts';
import { temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const H264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-qp', '12', '-pix_fmt', 'yuv420p'];
const H265 = [
  '-c:v',
  'libx265',
  '-preset',
  'veryfast',
  '-x265-params',
  'log-level=none',
  '-pix_fmt',
  'yuv420p',
];
const VP9 = [
  '-c:v',
  'libvpx-vp9',
  '-deadline',
  'realtime',
  '-cpu-used',
  '8',
  '-b:v',
  '1M',
  '-pix_fmt',
  'yuv420p',
];
const AAC = ['-c:a', 'aac'];

/** Makes a file of 5 s at a rate. */
function make(name: string, rate: string, ...coding: string[]): string {
  const { video, audio } = rawInputs(folder, rate, 5);
  ffmpeg(...video, ...audio, ...coding, path(name));
  return path(name);
}

/** Numbers of the 1st and 15th picture at 30 frames per second of each second, as shown at a constant rate. */
const expectedNumbers = (rate: number, seconds: number): number[] =>
  Array.from({ length: seconds }, (_, s) => [Math.round(s * rate), Math.round((s + 14 / 30) * rate)]).flat();

function report(name: string, { frames, sound }: Media): number[] {
  const numbers = frames ? numbersOf(frames) : [];
  console.log(`${name}: ${sound?.channels[0]?.length ?? 0} samples, pictures ${numbers.join(' ')}`);
  return numbers;
}

/** ffmpeg's left channel. */
function leftOf(file: string): Float32Array {
  const both = new Float32Array(ffmpegDecode(file, '-map', '0:a', '-ac', '2', '-f', 'f32le').buffer);
  return both.filter((_, i) => i % 2 === 0);
}

/** Largest difference of our left channel, from sample `at` on, to a reference; the first and the last 0.1 s are left out. */
function difference(media: Media, reference: Float32Array, at = 0): number {
  const left = media.sound?.channels[0] ?? new Float32Array();
  let worst = 0;
  for (let i = 4800; i < Math.min(left.length - at, reference.length) - 4800; i++)
    worst = Math.max(worst, Math.abs((left[at + i] ?? 0) - (reference[i] ?? 0)));
  return worst;
}

describe.skipIf(!HAS_FFMPEG)('seconds of a file (needs ffmpeg)', () => {
  it.each([
    ['23.976', '24000/1001', 24000 / 1001],
    ['24', '24', 24],
    ['25', '25', 25],
    ['29.97', '30000/1001', 30000 / 1001],
    ['30', '30', 30],
    ['50', '50', 50],
    ['59.94', '60000/1001', 60000 / 1001],
    ['60', '60', 60],
    ['120', '120', 120],
  ])('show the 1st and the 15th picture at %s frames per second', async (name, rate, exact) => {
    const media = await decodeMedia({ path: make(`${name}.mp4`, rate, ...H264, ...AAC) });
    expect(report(name, media)).toEqual(expectedNumbers(exact, 5));
    expect(media.warnings).toEqual([]);
  });

  it.each([
    ['an edit list', 'edited.mp4', [...H264, ...AAC]],
    ['no edit list', 'unedited.mp4', [...H264, ...AAC, '-use_editlist', '0']],
    ['fragments', 'fragmented.mp4', [...H264, ...AAC, '-movflags', 'frag_keyframe+empty_moov']],
    ['MPEG-TS from 1.4 s on', 'aac.ts', [...H264, ...AAC]],
    ['MPEG-TS with MP3', 'mp3.ts', [...H264, '-c:a', 'libmp3lame']],
    ['MPEG-TS without a delay', 'nodelay.ts', [...H264, ...AAC, '-muxdelay', '0', '-muxpreload', '0']],
    ['Matroska with AAC', 'aac.mkv', [...H264, ...AAC]],
    ['Matroska with H.265 and Opus', 'opus.mkv', [...H265, '-c:a', 'libopus']],
    ['Matroska with PCM', 'pcm.mkv', [...H264, '-c:a', 'pcm_s16le']],
    ['WebM', 'vp9.webm', [...VP9, '-c:a', 'libvorbis']],
    ['QuickTime', 'pcm.mov', [...H264, '-c:a', 'pcm_s24le']],
  ])('are all there, from the first on: %s', async (_, name, coding) => {
    const file = make(name, '30', ...coding);
    const media = await decodeMedia({ path: file });
    expect(report(name, media)).toEqual(expectedNumbers(30, 5));
    expect(media.warnings).toEqual([]);
    expect(Math.floor((media.sound?.channels[0]?.length ?? 0) / SOUND_RATE + 0.01)).toBe(5);
  });

  describe('at an offset', () => {
    let plain: string;
    beforeAll(() => {
      plain = make('plain.mp4', '30', ...H264, ...AAC);
    });

    /** Both tracks of the plain file, each from `delay` s on. */
    function shifted(name: string, delay: { video?: number; audio?: number }, ...options: string[]): string {
      const from = (seconds = 0): string[] => ['-itsoffset', String(seconds), '-i', plain];
      ffmpeg(
        ...from(delay.video),
        ...from(delay.audio),
        '-map',
        '0:v',
        '-map',
        '1:a',
        '-c',
        'copy',
        ...options,
        path(name),
      );
      return path(name);
    }

    it.each([
      ['hundred.mkv', 100, []],
      ['ten.mp4', 10, ['-copyts', '-avoid_negative_ts', 'disabled']],
      ['three.ts', 3, []],
      ['hour.ts', 3600, ['-copyts']],
    ])('of the whole file, nothing is added: %s', async (name, seconds, options) => {
      const file = shifted(name, { video: seconds, audio: seconds }, ...options);
      const media = await decodeMedia({ path: file });
      expect(report(name, media)).toEqual(expectedNumbers(30, 5));
      const worst = difference(media, leftOf(file));
      console.log(`${name}: sound differs from ffmpeg's by ${worst.toExponential(1)}`);
      expect(worst).toBeLessThan(1e-5);
    });

    it.each(['mp4', 'mkv', 'ts'])('of the pictures alone, they keep it: %s', async (container) => {
      const media = await decodeMedia({ path: shifted(`late-video.${container}`, { video: 0.5 }) });
      // The first picture stands for what is before it.
      const wanted = expectedNumbers(30, 5).map((number) => Math.max(0, number - 15));
      expect(report(`late video ${container}`, media)).toEqual(wanted);
    });

    it.each(['mp4', 'mkv', 'ts'])('of the sound alone, it keeps it: %s', async (container) => {
      const file = shifted(`late-audio.${container}`, { audio: 0.5 });
      const media = await decodeMedia({ path: file });
      expect(report(`late audio ${container}`, media)).toEqual(expectedNumbers(30, 5));
      const left = media.sound?.channels[0] ?? new Float32Array();
      expect(left.subarray(0, 22_000).every((sample) => sample === 0)).toBe(true);
      // ffmpeg's sound begins with the 1024 samples of AAC's priming; Matroska rounds to milliseconds.
      const reference = leftOf(file);
      const differences = Array.from({ length: 97 }, (__, k) =>
        difference(media, reference, 24_000 - 1024 - 48 + k),
      );
      const best = Math.min(...differences);
      console.log(
        `late audio ${container}: best at ${differences.indexOf(best) - 48} samples, ${best.toExponential(1)}`,
      );
      expect(best).toBeLessThan(1e-5);
    });

    it('of more than a second is refused if pictures lack, named by both times', async () => {
      const file = shifted('very-late-video.mkv', { video: 3 });
      await expect(decodeMedia({ path: file })).rejects.toThrow(
        /very-late-video\.mkv has no picture between 0\.00 s and 3\.\d+ s \(broken file\?\)$/,
      );
    });

    it('of the sound by whole seconds leaves out the seconds without pictures, with a warning', async () => {
      const media = await decodeMedia({ path: shifted('very-late-audio.mp4', { audio: 2 }) });
      expect(report('late by 2 s', media)).toEqual(expectedNumbers(30, 5));
      expect(media.warnings).toHaveLength(1);
      expect(media.warnings[0]).toMatch(
        /very-late-audio\.mp4 has 7\.00 s of sound and 5\.00 s of pictures: what follows after 5 s is left out/,
      );
      expect(media.truncated).toBe(false);
    });

    it('by an edit list that begins between two key frames, begins there', async () => {
      ffmpeg('-ss', '1.5', '-i', plain, '-c', 'copy', path('cut-in.mp4'));
      const media = await decodeMedia({ path: path('cut-in.mp4') });
      const wanted = expectedNumbers(30, 3).map((number) => number + 45);
      expect(report('from 1.5 s on', media)).toEqual(wanted);
    });
  });

  it('show what is on the screen at a variable rate', async () => {
    // Of 30 pictures a second two of three are dropped in the odd seconds.
    const { video, audio } = rawInputs(folder, '30', 5);
    const keep = "select='not(mod(floor(t),2))+not(mod(n,3))'";
    ffmpeg(...video, ...audio, '-vf', keep, '-vsync', 'vfr', ...H264, ...AAC, path('variable.mp4'));
    const wanted = expectedNumbers(30, 5).map((number) =>
      Math.floor(number / 30) % 2 === 0 ? number : 3 * Math.floor(number / 3),
    );
    expect(report('variable', await decodeMedia({ path: path('variable.mp4') }))).toEqual(wanted);
  });

  it('of sound alone and of pictures alone start at their track', async () => {
    const { video, audio } = rawInputs(folder, '30', 5);
    ffmpeg(...video, ...H264, path('silent.ts'));
    ffmpeg(...audio, ...AAC, path('blind.ts'));
    expect(report('silent', await decodeMedia({ path: path('silent.ts') }))).toEqual(expectedNumbers(30, 5));
    const blind = await decodeMedia({ path: path('blind.ts') });
    expect(blind.frames).toBeUndefined();
    expect(difference(blind, leftOf(path('blind.ts')))).toBeLessThan(1e-5);
  });
});
