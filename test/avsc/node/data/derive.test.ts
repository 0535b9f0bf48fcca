import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  mkdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Stereo } from '../../../../src/avsc/audio/clip.ts';
import { secondsOf, toStereo } from '../../../../src/avsc/audio/clip.ts';
import type { Clip } from '../../../../src/avsc/dataset/clips.ts';
import { LogMelExtractor } from '../../../../src/avsc/features/logmel.ts';
import type { InputName } from '../../../../src/avsc/features/inputs.ts';
import { OpenL3Extractor } from '../../../../src/avsc/features/openl3.ts';
import { squashPicture } from '../../../../src/avsc/features/resize.ts';
import { readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { framesOf, isSquashed, storedPicture, storedSize } from '../../../../src/avsc/features/frames.ts';
import { decodeFrames, decodeSound } from '../../../../src/avsc/node/data/media/decode.ts';
import {
  prepareClips,
  type PreparedClip,
  type PrepareOptions,
} from '../../../../src/avsc/node/data/prepare.ts';
import { readMediaSeconds } from '../../../../src/avsc/node/data/media-seconds.ts';
import type { SpaceEstimate } from '../../../../src/avsc/node/data/space.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { readInput } from '../../../../src/avsc/node/runs/sample-input.ts';
import { StorageError } from '../../../../src/node/files.ts';
import { hashWord } from '../../../support/hash.ts';
import { SHARED, temporaryFolder, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();
const root = join(folder, 'set');
const cache = join(folder, 'cache');
const SIZE = 24;

let clips: Clip[] = [];

beforeAll(async () => {
  await makeDataset(root, { seed: 2, train: 1, evaluate: 1, seconds: 2 });
  clips = (await readSplit(root, 'train')).slice(0, 4);
}, 60_000);

const prepare = (options: Partial<PrepareOptions>): ReturnType<typeof prepareClips> =>
  prepareClips(root, clips, { cache, size: SIZE, ...options });

/** An input of one second of a clip, as the loader reads it. */
async function read(
  clip: PreparedClip | undefined,
  input: InputName,
  second: number,
  size = SIZE,
): Promise<Uint8Array> {
  if (!clip) throw new Error('no clip');
  return readInput(clip, input, second, size);
}

const floats = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.buffer);

/** The sound of a clip of the data set, decoded anew, in seconds. */
async function soundOf(index: number): Promise<Stereo[]> {
  const { channels } = await decodeSound(join(root, clips[index]?.audio ?? ''));
  return secondsOf(toStereo(channels));
}

const files = (part: string, ...not: string[]): string[] =>
  readdirSync(cache)
    .filter((name) => name.includes(part) && !not.includes(name))
    .sort();

describe('inputs derived from prepared clips', () => {
  it('are those of the media files', async () => {
    const inputs = ['logmel', 'openl3', 'waveform', 'frames'] as const;
    const { clips: prepared, cached } = await prepare({ inputs });
    expect(cached).toBe(0);
    const [, clip] = prepared;
    expect(Object.keys(clip?.derived ?? {})).toEqual(['logmel', 'openl3', 'frames']);
    const sound = await soundOf(1);
    const logmel = new LogMelExtractor().seconds(
      sound.length === 2 ? [join2(sound, 0), join2(sound, 1)] : [new Float32Array(), new Float32Array()],
    );
    const openl3 = new Float32Array(256 * 199);
    const pictures = await decodeFrames(join(root, clips[1]?.video ?? ''), 2);
    for (const second of [0, 1]) {
      const [left, right] = sound[second] as Stereo;
      expect(floats(await read(clip, 'logmel', second))).toEqual(logmel[second]?.data);
      new OpenL3Extractor().extract([left, right], openl3);
      expect(floats(await read(clip, 'openl3', second))).toEqual(openl3);
      const waveform = floats(await read(clip, 'waveform', second));
      expect(waveform.subarray(0, 48_000)).toEqual(left);
      expect(waveform.subarray(48_000)).toEqual(right);
      const bytes = await read(clip, 'frames', second);
      for (const frame of [0, 1]) {
        const area = 3 * 96 * 96;
        const data = pictures.data.subarray((2 * second + frame) * area, (2 * second + frame + 1) * area);
        const expected = squashPicture({ data, width: 96, height: 96, channels: 'planes' }, 27, SIZE);
        expect(bytes.subarray(frame * 3 * SIZE * SIZE, (frame + 1) * 3 * SIZE * SIZE)).toEqual(expected);
      }
    }
  });

  it('are found again, without decoding anything; others are made of what is there', async () => {
    const { clips: prepared } = await prepare({ inputs: ['logmel'] });
    const moved = clips.map((clip) => ({ ...clip, source: { file: 'other.csv', line: 3 } }));
    expect(
      (await prepareClips(root, moved, { cache, inputs: ['logmel', 'frames'], size: SIZE })).cached,
    ).toBe(4);
    const before = files('');
    const scaled = await prepare({ inputs: ['logmel'], scaling: 'clip' });
    expect(scaled.cached).toBe(0);
    expect(files('', ...before)).toHaveLength(4);
    const [a, b] = [prepared[2], scaled.clips[2]];
    expect(b?.path).toBe(a?.path);
    expect(b?.derived?.logmel).not.toBe(a?.derived?.logmel);
    const sound = await soundOf(2);
    const whole: Stereo = [join2(sound, 0), join2(sound, 1)];
    const expected = new LogMelExtractor().seconds(whole, 'clip');
    expect(floats(await read(b, 'logmel', 1))).toEqual(expected[1]?.data);
    expect(floats(await read(a, 'logmel', 1))).not.toEqual(expected[1]?.data);
    expect((await prepare({ inputs: ['frames'], size: 16 })).cached).toBe(0);
    expect((await prepare({ inputs: ['frames'], size: 16, scaling: 'clip' })).cached).toBe(4);
  });

  it('are remade if they are damaged, cut, or of another input, clip or length', async () => {
    const { clips: prepared } = await prepare({ inputs: ['logmel', 'frames'] });
    const paths = prepared.flatMap(({ derived }) => [derived?.logmel ?? '', derived?.frames ?? '']);
    const whole = paths.map((path) => readFileSync(path));
    const [l0 = '', f0 = '', l1 = '', f1 = '', l2 = '', , l3 = ''] = paths;
    const flipped = Buffer.from(whole[0] ?? []);
    flipped[flipped.length - 9] = (flipped[flipped.length - 9] ?? 0) ^ 16;
    writeFileSync(l0, flipped);
    await expect(read(prepared[0], 'logmel', 1)).rejects.toThrow(
      /logmel-.* is damaged \(the checksum of second 1 is wrong\): run "wavelight prepare" again/,
    );
    copyFileSync(l3, f0);
    await expect(read(prepared[0], 'frames', 0)).rejects.toThrow(/does not hold frames of 24 pixels of 2 s/);
    writeFileSync(l1, whole[2]?.subarray(0, 90_000) ?? '');
    await expect(read(prepared[1], 'logmel', 0)).rejects.toThrow(/is damaged \(it has 90000 bytes/);
    rmSync(f1);
    await expect(read(prepared[1], 'frames', 0)).rejects.toThrow(/ENOENT/);
    writeFileSync(l2, whole[5] ?? '');
    await expect(read(prepared[2], 'logmel', 0)).rejects.toThrow(/does not hold logmel of 2 s/);
    expect((await prepare({ inputs: ['logmel', 'frames'] })).cached).toBe(1);
    paths.forEach((path, i) => expect(readFileSync(path).equals(whole[i] ?? Buffer.of()), path).toBe(true));
  });

  it('say when they cannot be written, and leave no half', async () => {
    const { clips: prepared } = await prepare({ inputs: ['logmel'] });
    const path = prepared[1]?.derived?.logmel ?? '';
    rmSync(path);
    // A file cannot take the place of a folder that is not empty.
    mkdirSync(join(path, 'folder'), { recursive: true });
    const failure = await prepare({ inputs: ['logmel'] }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as Error).message).toContain(`cannot write ${path}`);
    expect(files('.tmp')).toEqual([]);
    rmSync(path, { recursive: true });
    expect((await prepare({ inputs: ['logmel'] })).cached).toBe(3);
  });

  it('stop when told to, keep what is made and go on', async () => {
    const other = join(folder, 'stopped');
    const stop = new AbortController();
    const stopped = prepare({
      cache: other,
      inputs: ['openl3'],
      workers: 1,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 2) stop.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(readdirSync(other).filter((name) => name.endsWith('.input'))).toHaveLength(2);
    expect((await prepare({ cache: other, inputs: ['openl3'] })).cached).toBe(2);
  });

  it('of media files by themselves are the same, as predictions on files need them', async () => {
    const inputs = ['logmel', 'openl3', 'waveform', 'frames'] as const;
    const { clips: prepared } = await prepare({ inputs });
    const [clip] = prepared;
    const signal = new AbortController().signal;
    const options = { inputs, size: SIZE };
    const sound = await readMediaSeconds(join(root, clip?.audio ?? ''), options, signal);
    const pictures = await readMediaSeconds(join(root, clip?.video ?? ''), options, signal);
    expect([sound.seconds, sound.frames, pictures.seconds, pictures.sound]).toEqual([2, null, 2, null]);
    for (const second of [0, 1]) {
      for (const input of ['logmel', 'openl3', 'waveform'] as const) {
        const bytes = await read(clip, input, second);
        const values = sound.sound?.[input]?.subarray(
          (second * bytes.length) / 4,
          ((second + 1) * bytes.length) / 4,
        );
        expect(values).toEqual(floats(bytes));
      }
      const bytes = await read(clip, 'frames', second);
      expect(pictures.frames?.subarray(second * bytes.length, (second + 1) * bytes.length)).toEqual(bytes);
    }
    const few = await readMediaSeconds(
      join(root, clip?.audio ?? ''),
      { inputs: ['openl3'], size: SIZE },
      signal,
    );
    expect(Object.keys(few.sound ?? {})).toEqual(['openl3']);
  });

  it('are asked for by a clip that has them', async () => {
    const { clips: prepared } = await prepare({});
    await expect(read(prepared[0], 'logmel', 0)).rejects.toThrow(
      /was not prepared for logmel, which is made of .*\.clip beforehand/,
    );
    await expect(read(prepared[0], 'frames', 0)).rejects.toThrow(/was not prepared for frames of 24 pixels/);
    expect(floats(await read(prepared[0], 'waveform', 0)).length).toBe(96_000);
  });
});

const join2 = (seconds: readonly Stereo[], channel: 0 | 1): Float32Array => {
  const out = new Float32Array(48_000 * seconds.length);
  seconds.forEach((second, i) => out.set(second[channel], i * 48_000));
  return out;
};

describe('frames made of stored pictures', () => {
  /** Hashed RGBA bytes. */
  const picture = (width: number, height: number): Uint8Array =>
    Uint8Array.from({ length: 4 * width * height }, (_, i) => hashWord(width, i) & 255);

  it.each([
    [320, 240, 224],
    [1000, 700, 224],
    [200, 300, 224],
    [100, 256, 224],
    [256, 256, 48],
    [96, 64, 48],
    [33, 200, 160],
    [250, 13, 300],
  ])('%i x %i at %i are what the original would give', (width, height, size) => {
    const rgba = picture(width, height);
    const stored = storedSize(width, height);
    const data = storedPicture(rgba, width, height, stored);
    const out = new Uint8Array(3 * size * size);
    framesOf({ ...stored, data }, size, out);
    const side = Math.round((size * 256) / 224);
    const expected = squashPicture({ data: rgba, width, height, channels: 4 }, side, size);
    expect(Buffer.from(out).equals(expected)).toBe(true);
  });

  it('of 256 x 256 at 224 are their middle', () => {
    expect(isSquashed({ width: 256, height: 256 }, 224)).toBe(true);
    expect(isSquashed({ width: 256, height: 255 }, 224)).toBe(false);
    const data = Uint8Array.from({ length: 3 * 256 * 256 }, (_, i) => i % 251);
    const out = new Uint8Array(3 * 224 * 224);
    framesOf({ width: 256, height: 256, data }, 224, out);
    expect([out[0], out[224], out[224 * 224]]).toEqual([
      (16 * 256 + 16) % 251,
      (17 * 256 + 16) % 251,
      (65_536 + 16 * 256 + 16) % 251,
    ]);
  });

  it('of a large video are read from the clip itself', async () => {
    const set = join(folder, 'large');
    await makeDataset(set, { seed: 3, train: 1, evaluate: 1, seconds: 1 });
    const all = (await readSplit(set, 'train')).slice(0, 2);
    for (const [i, { video }] of all.entries()) {
      await writeVideo(join(set, video), {
        rate: 30,
        frames: 30,
        colour: (frame) => [100 + frame, 50 * i, 20],
        width: 320,
        height: 288,
      });
    }
    const { clips: prepared } = await prepareClips(set, all, {
      cache: join(folder, 'large-cache'),
      inputs: ['frames'],
    });
    expect(prepared.map(({ derived }) => derived)).toEqual([{}, {}]);
    const estimates: SpaceEstimate[] = [];
    const again = (): ReturnType<typeof prepareClips> =>
      prepareClips(set, all, {
        cache: join(folder, 'large-cache'),
        inputs: ['frames'],
        onEstimate: (estimate) => void estimates.push(estimate),
      });
    expect([(await again()).cached, estimates]).toEqual([2, []]);
    rmSync(prepared[0]?.path ?? '');
    expect((await again()).cached).toBe(1);
    expect(estimates).toMatchObject([{ clips: 1, needed: statSync(prepared[0]?.path ?? '').size }]);
    const bytes = await read(prepared[1], 'frames', 0, 224);
    expect(bytes).toHaveLength(2 * 3 * 224 * 224);
    console.log(`red ${bytes[0]} and ${bytes[3 * 224 * 224]}, green ${bytes[224 * 224]}`);
    expect(Math.abs((bytes[0] ?? 0) - 100)).toBeLessThan(3);
    expect(Math.abs((bytes[3 * 224 * 224] ?? 0) - 114)).toBeLessThan(3);
    expect(Math.abs((bytes[224 * 224] ?? 0) - 50)).toBeLessThan(3);
  });
});

const tau = join(SHARED, 'data/tau-mini');
describe.skipIf(!existsSync(tau))(`real recordings (needs ${tau})`, () => {
  it('have the features and frames that they had before there was a store', async () => {
    const all = await readSplit(tau, 'train');
    const { clips: prepared } = await prepareClips(tau, all.slice(0, 1), {
      cache: join(folder, 'tau'),
      inputs: ['logmel', 'frames'],
    });
    const digests = { logmel: createHash('sha256'), frames: createHash('sha256') };
    for (let second = 0; second < 10; second++) {
      for (const input of ['logmel', 'frames'] as const)
        digests[input].update(await read(prepared[0], input, second, 224));
    }
    expect(prepared[0]?.name).toBe('airport-paris-9-402');
    expect(digests.logmel.digest('hex').slice(0, 16)).toBe('d4103ac13f779979');
    expect(digests.frames.digest('hex').slice(0, 16)).toBe('0f174308c67c0bec');
  }, 60_000);
});
