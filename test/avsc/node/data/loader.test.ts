import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { toStereo } from '../../../../src/avsc/audio/clip.ts';
import type { Clip } from '../../../../src/avsc/dataset/clips.ts';
import { LogMelExtractor } from '../../../../src/avsc/features/logmel.ts';
import { AUDIO_VALUES, openClipFile, readSecond } from '../../../../src/avsc/node/data/clip-file.ts';
import { DatasetError, readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { StorageError } from '../../../../src/node/files.ts';
import { createLoader, type Batch, type Loader } from '../../../../src/avsc/node/data/loader.ts';
import { decodeFrames, decodeSound } from '../../../../src/avsc/node/data/media.ts';
import { prepareClips, type Prepared } from '../../../../src/avsc/node/data/prepare.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { SHARED, temporaryFolder, writeTone, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();
const root = join(folder, 'set');
const cache = join(folder, 'cache');
const SIZE = 24;
const FRAME_VALUES = 2 * 3 * SIZE * SIZE;

let clips: Clip[] = [];
let prepared: Prepared;

beforeAll(async () => {
  await makeDataset(root, { seed: 2, train: 1, evaluate: 1, seconds: 2 });
  clips = await readSplit(root, 'train');
  prepared = await prepareClips(root, clips, { cache, size: SIZE });
}, 60_000);

const entry = (index: number): string => prepared.clips[index]?.path ?? '';

describe('the cache of decoded clips', () => {
  it('holds what features and pictures are made of', async () => {
    const [clip] = clips;
    if (!clip) throw new Error('no clip');
    const file = await openClipFile(entry(0));
    expect([file.seconds, file.size]).toEqual([2, SIZE]);
    const sound = toStereo((await decodeSound(join(root, clip.audio))).channels);
    const features = new LogMelExtractor().seconds(sound);
    const { data } = await decodeFrames(join(root, clip.video), { size: SIZE }, 2);
    for (const second of [0, 1]) {
      const { audio, frames } = await readSecond(file, second);
      expect(audio).toEqual(features[second]?.data);
      expect(frames).toEqual(data.subarray(second * FRAME_VALUES, (second + 1) * FRAME_VALUES));
    }
    await expect(readSecond(file, 2)).rejects.toThrow(/has 2 seconds, second 2 was asked for/);
  });

  it('is found again, also when only part of it is there', async () => {
    expect(prepared.cached).toBe(0);
    rmSync(entry(4));
    const steps: [number, number][] = [];
    const again = await prepareClips(root, clips, {
      cache,
      size: SIZE,
      workers: 1,
      onProgress: (done, total) => steps.push([done, total]),
    });
    expect(again.cached).toBe(9);
    expect(again.clips).toEqual(prepared.clips);
    expect(steps).toEqual(clips.map((_, i) => [i + 1, 10]));
  });

  it('remakes entries that are cut, changed or of another kind', async () => {
    const whole = [0, 1, 2, 3].map((i) => readFileSync(entry(i)));
    writeFileSync(entry(0), readFileSync(entry(0)).subarray(0, 5000));
    const flipped = readFileSync(entry(1));
    flipped[flipped.length - 7] = (flipped[flipped.length - 7] ?? 0) ^ 1;
    writeFileSync(entry(1), flipped);
    writeFileSync(entry(2), '');
    const header = readFileSync(entry(3));
    header.writeUInt32LE(0x7fffffff, 8);
    writeFileSync(entry(3), header);
    await expect(openClipFile(entry(0))).rejects.toThrow(/is damaged \(it has 5000 bytes, its header says/);
    await expect(readSecond(await openClipFile(entry(1)), 1)).rejects.toThrow(
      /checksum of second 1 is wrong/,
    );
    await expect(openClipFile(entry(2))).rejects.toThrow(/it ends after 0 bytes/);
    await expect(openClipFile(entry(3))).rejects.toThrow(/its header is not one of a decoded clip/);
    const again = await prepareClips(root, clips, { cache, size: SIZE });
    expect(again.cached).toBe(6);
    whole.forEach((bytes, i) => expect(readFileSync(entry(i)).equals(bytes)).toBe(true));
  });

  it('is made anew when a file or an option changes', async () => {
    const copy = join(folder, 'copy');
    cpSync(root, copy, { recursive: true });
    const other = join(folder, 'copy-cache');
    expect((await prepareClips(copy, clips, { cache: other, size: SIZE })).cached).toBe(0);
    const moved = join(folder, 'moved');
    renameSync(copy, moved);
    expect((await prepareClips(moved, clips, { cache: other, size: SIZE })).cached).toBe(10);
    const [clip] = clips;
    writeTone(join(moved, clip?.audio ?? ''), 2);
    expect((await prepareClips(moved, clips, { cache: other, size: SIZE })).cached).toBe(9);
    const few = clips.slice(0, 2);
    expect((await prepareClips(root, few, { cache, size: 16 })).cached).toBe(0);
    expect((await prepareClips(root, few, { cache, size: SIZE, fit: 'squash' })).cached).toBe(0);
    expect((await prepareClips(root, few, { cache, size: SIZE, scaling: 'clip' })).cached).toBe(0);
  }, 30_000);

  it('names every bad clip at once, with file, row and reason', async () => {
    const bad = join(folder, 'bad');
    for (const name of ['audio', 'video', 'evaluation_setup'])
      mkdirSync(join(bad, name), { recursive: true });
    const rows = ['good', 'rate', 'mono', 'cut', 'short', 'novideo', 'brief'];
    for (const name of rows) {
      writeTone(
        join(bad, 'audio', `${name}.wav`),
        name === 'brief' ? 0.5 : 2,
        name === 'rate' ? 44_100 : 48_000,
        name === 'mono' ? 1 : 2,
      );
      const frames = name === 'short' ? 35 : 60;
      await writeVideo(join(bad, 'video', `${name}.mp4`), { rate: 30, frames, colour: (i) => [i, i, i] });
    }
    const wav = join(bad, 'audio', 'cut.wav');
    writeFileSync(wav, readFileSync(wav).subarray(0, 100_000));
    writeFileSync(join(bad, 'video', 'novideo.mp4'), 'nonsense');
    const lines = rows.map((name) => `audio/${name}.wav,video/${name}.mp4,bus`);
    writeFileSync(
      join(bad, 'evaluation_setup', 'fold1_train.csv'),
      ['filename_audio,filename_video,scene_label', ...lines].join('\n'),
    );
    const failure = await prepareClips(bad, await readSplit(bad, 'train'), {
      cache: join(folder, 'bad-cache'),
      size: 8,
    }).catch((error: unknown) => error);
    if (!(failure instanceof DatasetError)) throw failure;
    expect(failure.message).toMatch(/^6 of 7 clips cannot be used/);
    expect(failure.problems.map((problem) => problem.replaceAll(`${bad}/`, ''))).toEqual([
      expect.stringMatching(/fold1_train.csv, row 3: audio\/rate.wav has 2 channels at 44100 Hz/),
      expect.stringMatching(/row 4: audio\/mono.wav has 1 channels at 48000 Hz/),
      expect.stringMatching(/row 5: audio\/cut.wav: truncated WAV file/),
      expect.stringMatching(/row 6: video\/short.mp4 lasts 1.17 s and is shorter than its sound of 2 s/),
      expect.stringMatching(/row 7: video\/novideo.mp4 is not a media file/),
      expect.stringMatching(/row 8: audio\/brief.wav lasts 0.50 s, at least one second is needed/),
    ]);
    rmSync(join(bad, 'video', 'good.mp4'));
    await expect(readSplit(bad, 'train')).rejects.toThrow(/row 2: video\/good.mp4 is not there/);
  }, 30_000);

  it.skipIf(!existsSync('/dev/full'))('says when the disk is full (needs /dev/full)', async () => {
    const path = entry(5);
    rmSync(path);
    symlinkSync('/dev/full', `${path}.${process.pid}.tmp`);
    const failure = await prepareClips(root, clips, { cache, size: SIZE }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as Error).message).toBe(
      `the disk that holds ${cache} is full: free some space there or choose another folder, then run it again`,
    );
    expect(readdirSync(cache).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await prepareClips(root, clips, { cache, size: SIZE });
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  it('stops when told to and goes on from there', async () => {
    const controller = new AbortController();
    const other = join(folder, 'resumed');
    const stopped = prepareClips(root, clips, {
      cache: other,
      size: SIZE,
      workers: 1,
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 3) controller.abort(new Error('stopped by hand'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by hand');
    expect((await prepareClips(root, clips, { cache: other, size: SIZE })).cached).toBe(3);
  });
});

interface Copy {
  readonly step: number;
  readonly count: number;
  readonly names: string[];
  readonly audio: Float32Array;
  readonly frames: Float32Array;
  readonly classes: number[];
}

/** Batches with checksums in place of their arrays, which are slow to compare. */
const digest = (batches: readonly Copy[]): object[] =>
  batches.map(({ audio, frames, ...rest }) => ({
    ...rest,
    audio: crc32(new Uint8Array(audio.buffer)),
    frames: crc32(new Uint8Array(frames.buffer)),
  }));

const copy = ({ step, count, samples, audio, frames, classes }: Batch): Copy => ({
  step,
  count,
  names: samples.map(({ clip, second }) => `${clip.name} ${second}`),
  audio: audio.slice(),
  frames: frames.slice(),
  classes: [...classes],
});

async function collect(loader: Loader, epoch: number, from?: number): Promise<Copy[]> {
  const batches: Copy[] = [];
  for await (const batch of loader.batches(epoch, from)) batches.push(copy(batch));
  return batches;
}

describe('the loader', () => {
  it('gives each sample once an epoch, in another order each epoch', async () => {
    const loader = await createLoader(prepared.clips, { batchSize: 4, shuffle: { seed: 1 } });
    expect([loader.sampleCount, loader.steps]).toEqual([20, 5]);
    const first = (await collect(loader, 0)).flatMap(({ names }) => names);
    const second = (await collect(loader, 1)).flatMap(({ names }) => names);
    expect(new Set(first).size).toBe(20);
    expect([...second].sort()).toEqual([...first].sort());
    expect(second).not.toEqual(first);
  });

  it('resumes at any step with the same batches, however far it reads ahead', async () => {
    const loader = await createLoader(prepared.clips, { batchSize: 3, shuffle: { seed: 9 } });
    const whole = digest(await collect(loader, 4));
    expect(whole).toMatchObject([0, 1, 2, 3, 4, 5].map((step) => ({ step })));
    expect(digest(await collect(loader, 4, 3))).toEqual(whole.slice(3));
    const eager = await createLoader(prepared.clips, { batchSize: 3, shuffle: { seed: 9 }, readAhead: 6 });
    const lazy = await createLoader(prepared.clips, { batchSize: 3, shuffle: { seed: 9 }, readAhead: 0 });
    expect(digest(await collect(eager, 4))).toEqual(whole);
    expect(digest(await collect(lazy, 4))).toEqual(whole);
  });

  it('drops a short last batch in training and pads it in evaluation', async () => {
    const training = await createLoader(prepared.clips, { batchSize: 8, shuffle: { seed: 1 } });
    expect((await collect(training, 0)).map(({ count }) => count)).toEqual([8, 8]);
    const evaluation = await createLoader(prepared.clips, { batchSize: 8 });
    const batches = await collect(evaluation, 0);
    expect(batches.map(({ count }) => count)).toEqual([8, 8, 4]);
    expect(batches.flatMap(({ names }) => names)).toEqual(
      prepared.clips.flatMap(({ name }) => [`${name} 0`, `${name} 1`]),
    );
    const last = batches[2];
    expect(last?.classes).toEqual([8, 8, 9, 9, -1, -1, -1, -1]);
    expect(last?.audio.length).toBe(8 * AUDIO_VALUES);
    expect(last?.audio.subarray(4 * AUDIO_VALUES).every((x) => x === 0)).toBe(true);
    expect(last?.frames.subarray(4 * FRAME_VALUES).every((x) => x === 0)).toBe(true);
  });

  it('normalises pictures and gives one-hot labels', async () => {
    const loader = await createLoader(prepared.clips, { batchSize: 20 });
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    let worst = 0;
    for await (const { frames, labels, classes } of loader.batches(0)) {
      for (let slot = 0; slot < 20; slot++) {
        const oneHot = labels.subarray(slot * 10, slot * 10 + 10);
        expect([...oneHot].map((x, i) => x * i).reduce((a, b) => a + b)).toBe(classes[slot]);
        expect(oneHot.reduce((a, b) => a + b)).toBe(1);
        const stored = await readSecond(await openClipFile(entry(slot >> 1)), slot & 1);
        stored.frames.forEach((value, i) => {
          const c = Math.floor(i / (SIZE * SIZE)) % 3;
          const expected = (value / 255 - (mean[c] ?? 0)) / (std[c] ?? 1);
          worst = Math.max(worst, Math.abs(expected - (frames[slot * FRAME_VALUES + i] ?? 0)));
        });
      }
    }
    console.log(`largest error of a normalised picture ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(2e-7);
  });

  it('lets a transform change samples, told apart by epoch and index', async () => {
    const keys: string[] = [];
    const loader = await createLoader(prepared.clips, {
      batchSize: 20,
      transform: (audio, frames, { epoch, index }) => {
        keys.push(`${epoch}/${index}`);
        audio.fill(index);
        frames.fill(255);
      },
    });
    const [batch] = await collect(loader, 3);
    expect(new Set(keys).size).toBe(20);
    expect(keys.every((key) => key.startsWith('3/'))).toBe(true);
    expect(batch?.audio[7 * AUDIO_VALUES + 5]).toBe(7);
    expect(batch?.frames[0]).toBeCloseTo((1 - 0.485) / 0.229, 6);
  });

  it('refuses an empty set, a batch that cannot be filled, sizes that differ, and damaged clips', async () => {
    await expect(createLoader([], { batchSize: 2 })).rejects.toThrow(/the split is empty/);
    await expect(createLoader(prepared.clips, { batchSize: 0 })).rejects.toThrow(/at least 1, got 0/);
    await expect(createLoader(prepared.clips, { batchSize: 21, shuffle: { seed: 1 } })).rejects.toThrow(
      /20 samples do not fill one batch of 21/,
    );
    const small = await prepareClips(root, clips.slice(0, 1), { cache, size: 16 });
    await expect(createLoader([...prepared.clips, ...small.clips], { batchSize: 2 })).rejects.toThrow(
      /has pictures of 16 pixels, others of 24/,
    );
    const broken = join(folder, 'broken.clip');
    const bytes = readFileSync(entry(0));
    bytes[300] = (bytes[300] ?? 0) ^ 255;
    writeFileSync(broken, bytes);
    const [first] = prepared.clips;
    if (!first) throw new Error('no clip');
    const loader = await createLoader([{ ...first, path: broken }], { batchSize: 2 });
    await expect(collect(loader, 0)).rejects.toThrow(/broken.clip is damaged.*wavelight prepare/);
  });
});

describe('folders', () => {
  it('say what is missing', async () => {
    await expect(readSplit(join(folder, 'nowhere'), 'train')).rejects.toThrow(
      /nowhere does not exist; give the folder/,
    );
    const bare = join(folder, 'bare');
    mkdirSync(bare);
    await expect(readSplit(bare, 'train')).rejects.toThrow(
      /bare has no evaluation_setup\/fold1_train.csv or/,
    );
  });
});

const tau = join(SHARED, 'data/tau-mini');
describe.skipIf(!existsSync(tau))(`real recordings (needs ${tau})`, () => {
  it('are read, decoded and batched', async () => {
    const train = await readSplit(tau, 'train');
    const evaluate = await readSplit(tau, 'evaluate');
    expect([train.length + evaluate.length, (await readSplit(tau, 'test')).length]).toEqual([
      11,
      evaluate.length,
    ]);
    const start = performance.now();
    const { clips: all } = await prepareClips(tau, [...train, ...evaluate], {
      cache: join(folder, 'tau'),
      size: 224,
    });
    const seconds = (performance.now() - start) / 1000;
    console.log(`11 clips of 10 s decoded at 224 x 224 in ${seconds.toFixed(2)} s`);
    expect(all.map((clip) => clip.seconds)).toEqual(all.map(() => 10));
    const loader = await createLoader(all, { batchSize: 32, shuffle: { seed: 1 } });
    const begin = performance.now();
    let count = 0;
    let low = Infinity;
    let high = -Infinity;
    for await (const batch of loader.batches(0)) {
      count += batch.count;
      for (const x of batch.frames.subarray(0, 1000)) {
        low = Math.min(low, x);
        high = Math.max(high, x);
      }
    }
    const rate = count / ((performance.now() - begin) / 1000);
    console.log(
      `${rate.toFixed(0)} samples of 224 x 224 per second; pictures in ${low.toFixed(2)}..${high.toFixed(2)}`,
    );
    expect(count).toBe(96);
  }, 60_000);
});
