import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { secondsOf, toStereo, type Stereo } from '../../../../src/avsc/audio/clip.ts';
import type { Clip } from '../../../../src/avsc/dataset/clips.ts';
import {
  openClipFile,
  readPictures,
  readSound,
  readSounds,
  writeClipFile,
} from '../../../../src/avsc/node/data/clip-file.ts';
import { DatasetError, readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { decodeFrames, decodeSound } from '../../../../src/avsc/node/data/media/decode.ts';
import { prepareClips, type Prepared } from '../../../../src/avsc/node/data/prepare.ts';
import type { SpaceEstimate } from '../../../../src/avsc/node/data/space.ts';
import { areVerified, rememberVerified } from '../../../../src/avsc/node/data/verified.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { StorageError } from '../../../../src/node/files.ts';
import { start } from '../../../cli/wavelight.ts';
import { SHARED, temporaryFolder, writeTone, writeVideo } from '../../media-files.ts';

const folder = temporaryFolder();
const root = join(folder, 'set');
const cache = join(folder, 'cache');
const SIDE = 96;

let clips: Clip[] = [];
let prepared: Prepared;

beforeAll(async () => {
  await makeDataset(root, { seed: 2, train: 1, evaluate: 1, seconds: 2 });
  clips = await readSplit(root, 'train');
  prepared = await prepareClips(root, clips, { cache });
}, 60_000);

const entry = (index: number): string => prepared.clips[index]?.path ?? '';

describe('a file of a prepared clip', () => {
  const SILENCE = new Float32Array(48_000);
  const ramp = (scale: number): Float32Array =>
    Float32Array.from({ length: 48_000 }, (_, i) => ((i * 7919) % scale) / (scale / 2) - 1);

  it.each([
    ['i16', ramp(2 ** 16), 2],
    ['i24', ramp(2 ** 24), 3],
    ['f32', ramp(48_000), 4],
    ['f32', Float32Array.from(SILENCE).fill(1, 5, 6), 4],
    [
      'i24',
      Float32Array.from(SILENCE)
        .fill(-1, 5, 6)
        .fill(2 ** -23, 9),
      3,
    ],
  ] as const)('keeps sound of %s to the bit', async (format, samples, width) => {
    const path = join(folder, `${format}.clip`);
    const second: Stereo = [samples, SILENCE];
    await writeClipFile(path, [second, [SILENCE, samples]], null);
    const clip = await openClipFile(path);
    expect([clip.format, clip.seconds, clip.height, clip.width]).toEqual([format, 2, 0, 0]);
    expect(await readSounds(clip)).toEqual([second, [SILENCE, samples]]);
    expect(statSync(path).size).toBe(2 * 2 * 48_000 * width + 8 + 8 + 16 + 4 + 2 * 4 + 4);
    await expect(readPictures(clip)).rejects.toThrow(/has no pictures/);
  });

  it('of a file from a stranger is refused before anything of its size is allocated', async () => {
    const path = join(folder, 'stranger.clip');
    const header = Buffer.alloc(200);
    header.write('WLCLIP02');
    const cases: [string, number[]][] = [
      ['records', [0xffffffff, 1, 0, 0, 0, 0, 8]],
      ['parts', [1, 0xffffffff, 0, 0, 0, 0, 8]],
      ['no record', [0, 1, 0, 0, 0, 0, 8]],
    ];
    for (const [name, words] of cases) {
      words.forEach((word, i) => header.writeUInt32LE(word, 8 + 4 * i));
      writeFileSync(path, header);
      await expect(openClipFile(path), name).rejects.toThrow(/its header is not one of such a file/);
    }
  });
});

describe('the store', () => {
  it("holds the files' own samples and pictures", async () => {
    const [clip] = clips;
    if (!clip) throw new Error('no clip');
    const file = await openClipFile(entry(0));
    expect([file.seconds, file.height, file.width, file.format]).toEqual([2, SIDE, SIDE, 'i24']);
    const sound = secondsOf(toStereo((await decodeSound(join(root, clip.audio))).channels));
    expect(await readSound(file, 1)).toEqual(sound[1]);
    expect(await readSounds(file)).toEqual(sound);
    const frames = await decodeFrames(join(root, clip.video), 2);
    expect([frames.height, frames.width]).toEqual([SIDE, SIDE]);
    expect(await readPictures(file)).toEqual(frames.data);
    expect(await readPictures(file, 1, 2)).toEqual(frames.data.subarray(frames.data.length / 2));
    await expect(readSound(file, 2)).rejects.toThrow(/has 2 seconds, second 2 was asked for/);
  });

  it('squashes a picture with a side of more than 256 pixels to 256 x 256', async () => {
    const video = join(folder, 'wide.mp4');
    await writeVideo(video, { rate: 30, frames: 30, colour: () => [200, 100, 50], width: 320, height: 48 });
    const { height, width, data } = await decodeFrames(video);
    expect([height, width, data.length]).toEqual([256, 256, 2 * 3 * 256 * 256]);
  });

  it('is found again, also when only part of it is there', async () => {
    expect(prepared.cached).toBe(0);
    rmSync(entry(4));
    const steps: [number, number][] = [];
    const again = await prepareClips(root, clips, {
      cache,
      workers: 1,
      onProgress: (done, total) => steps.push([done, total]),
    });
    expect(again.cached).toBe(9);
    expect(again.clips).toEqual(prepared.clips);
    expect(steps).toEqual(clips.map((_, i) => [i + 1, 10]));
  });

  it('remakes entries that are cut, changed, of another kind or of another clip', async () => {
    const whole = [0, 1, 2, 3, 4].map((i) => readFileSync(entry(i)));
    writeFileSync(entry(0), readFileSync(entry(0)).subarray(0, 5000));
    const flipped = readFileSync(entry(1));
    flipped[flipped.length - 7] = (flipped[flipped.length - 7] ?? 0) ^ 1;
    writeFileSync(entry(1), flipped);
    writeFileSync(entry(2), '');
    const header = readFileSync(entry(3));
    header.writeUInt32LE(0x7fffffff, 8);
    writeFileSync(entry(3), header);
    const lying = readFileSync(entry(4));
    // 97 x 96 pixels: the size that the header gives is not that of the records.
    lying.writeUInt32LE(SIDE + 1, 20);
    writeFileSync(entry(4), lying);
    await expect(openClipFile(entry(0))).rejects.toThrow(/is damaged \(it has 5000 bytes, its header says/);
    const changed = await openClipFile(entry(1));
    await expect(readPictures(changed, 1, 2)).rejects.toThrow(/checksum of second 1 is wrong/);
    expect((await readSounds(changed)).length).toBe(2);
    await expect(openClipFile(entry(2))).rejects.toThrow(/it ends after 0 bytes/);
    await expect(openClipFile(entry(3))).rejects.toThrow(/its header is not one of such a file/);
    await expect(openClipFile(entry(4))).rejects.toThrow(/checksum is wrong/);
    const again = await prepareClips(root, clips, { cache });
    expect(again.cached).toBe(5);
    whole.forEach((bytes, i) => expect(readFileSync(entry(i)).equals(bytes)).toBe(true));
  });

  it('without verifying still sees what is missing or cut', async () => {
    writeFileSync(entry(0), readFileSync(entry(0)).subarray(0, 5000));
    expect((await prepareClips(root, clips, { cache, verify: false })).cached).toBe(9);
  });

  it('is verified once in a process, as long as no file changes', async () => {
    const paths = ['a', 'b'].map((name) => join(folder, name));
    const [a = '', b = ''] = paths;
    for (const path of paths) writeFileSync(path, 'whole');
    expect(await areVerified([a])).toBe(false);
    await rememberVerified(paths);
    expect(await areVerified(paths)).toBe(true);
    writeFileSync(b, 'other');
    expect([await areVerified([a]), await areVerified(paths)]).toEqual([true, false]);
    rmSync(a);
    expect(await areVerified([a])).toBe(false);
  });

  it('is made anew when a file changes, not when the data set moves', async () => {
    const copy = join(folder, 'copy');
    cpSync(root, copy, { recursive: true });
    const other = join(folder, 'copy-cache');
    expect((await prepareClips(copy, clips, { cache: other })).cached).toBe(0);
    const moved = join(folder, 'moved');
    renameSync(copy, moved);
    expect((await prepareClips(moved, clips, { cache: other })).cached).toBe(10);
    const [clip] = clips;
    writeTone(join(moved, clip?.audio ?? ''), 2);
    expect((await prepareClips(moved, clips, { cache: other })).cached).toBe(9);
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

  it('says when a clip cannot be written', async () => {
    const path = entry(5);
    rmSync(path);
    // A file cannot take the place of a folder that is not empty.
    mkdirSync(join(path, 'folder'), { recursive: true });
    const failure = await prepareClips(root, clips, { cache }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as Error).message).toContain(`cannot write ${path}`);
    expect(readdirSync(cache).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    rmSync(path, { recursive: true });
    expect((await prepareClips(root, clips, { cache })).cached).toBe(9);
  });

  it('stops when told to and goes on from there', async () => {
    const controller = new AbortController();
    const other = join(folder, 'resumed');
    const stopped = prepareClips(root, clips, {
      cache: other,
      workers: 1,
      signal: controller.signal,
      onProgress: (done) => {
        if (done === 3) controller.abort(new Error('stopped by hand'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by hand');
    expect((await prepareClips(root, clips, { cache: other })).cached).toBe(3);
  });

  it('goes on after its process was killed, and removes what that left behind', async () => {
    const other = join(folder, 'killed');
    mkdirSync(other);
    const { child, finished } = start(
      ['prepare', '--data', root, '--preset', 'small', '--cache', other],
      folder,
    );
    const count = (end: string): number => readdirSync(other).filter((name) => name.endsWith(end)).length;
    while (count('.clip') < 2 && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    const { code, stderr } = await finished;
    const kept = count('.clip');
    console.log(`killed with ${kept} of 20 clips stored and ${count('.tmp')} temporary files`);
    expect(code, stderr).toBeNull();
    expect(stderr).toMatch(/20 clips to prepare take about [0-9.]+ MB; [0-9.]+ [GM]B are free/);
    const stale = join(other, 'x.clip.1.tmp');
    const fresh = join(other, 'y.clip.1.tmp');
    for (const path of [stale, fresh]) writeFileSync(path, 'half');
    const past = Date.now() / 1000 - 7200;
    utimesSync(stale, past, past);
    const all = [...clips, ...(await readSplit(root, 'evaluate'))];
    const options = { cache: other, inputs: ['logmel', 'frames'], size: 48 } as const;
    const resumed = await prepareClips(root, all, options);
    // A thread may have been between a clip and its inputs.
    expect(resumed.cached).toBeGreaterThanOrEqual(kept - availableParallelism());
    expect([existsSync(stale), existsSync(fresh)]).toEqual([false, true]);
    expect((await prepareClips(root, all, options)).cached).toBe(20);
    for (const { path, derived } of resumed.clips) {
      for (const name of [path, ...Object.values(derived ?? {})]) expect(existsSync(name)).toBe(true);
      await readSounds(await openClipFile(path));
    }
  }, 60_000);

  it('gives up on a file that would keep its reader busy without end, and keeps the others', async () => {
    const looping = join(folder, 'looping');
    cpSync(root, looping, { recursive: true });
    const video = join(looping, clips[3]?.video ?? '');
    const bytes = readFileSync(video);
    // stts: size, name, version and flags, number of entries, then (samples, duration): 4 bytes each.
    bytes.writeUInt32BE(0xffffffff, bytes.indexOf('stts') + 12);
    writeFileSync(video, bytes);
    const failure = await prepareClips(looping, clips, {
      cache: join(folder, 'looping-cache'),
    }).catch((error: unknown) => error);
    if (!(failure instanceof DatasetError)) throw failure;
    expect(failure.message).toMatch(/^1 of 10 clips cannot be used/);
    expect(failure.problems[0]).toMatch(/row 5: .* is broken: its table stts lists \d+ samples/);
    expect(readdirSync(join(folder, 'looping-cache')).filter((name) => name.endsWith('.clip'))).toHaveLength(
      9,
    );
  }, 30_000);
});

describe('disk space', () => {
  it('is estimated to the byte where all clips are alike, for what is missing', async () => {
    const other = join(folder, 'space');
    const estimates: SpaceEstimate[] = [];
    const onEstimate = (estimate: SpaceEstimate): void => void estimates.push(estimate);
    const bytesOf = (): number =>
      readdirSync(other).reduce((sum, name) => sum + statSync(join(other, name)).size, 0);
    await prepareClips(root, clips, { cache: other, onEstimate });
    expect(estimates).toMatchObject([{ clips: 10, needed: bytesOf() }]);
    await prepareClips(root, clips, { cache: other, onEstimate });
    expect(estimates).toHaveLength(1);
    const before = bytesOf();
    await prepareClips(root, clips, { cache: other, inputs: ['logmel', 'frames'], size: 32, onEstimate });
    expect(estimates[1]).toMatchObject({ clips: 10, needed: bytesOf() - before });
    rmSync(join(other, readdirSync(other).find((name) => name.includes('logmel')) ?? ''));
    await prepareClips(root, clips, { cache: other, inputs: ['logmel', 'frames'], size: 32, onEstimate });
    expect(estimates[2]?.clips).toBe(1);
    expect(estimates[2]?.free).toBeGreaterThan(0);
  });

  it('is refused before the work starts if there is too little', async () => {
    const huge = join(folder, 'huge');
    mkdirSync(huge);
    // An hour of silence, which takes no space on most disks; the clips are links to it.
    const wav = join(huge, 'hour.wav');
    writeTone(wav, 1);
    const bytes = readFileSync(wav).subarray(0, 44);
    const size = 3600 * 288_000;
    bytes.writeUInt32LE(36 + size, 4);
    bytes.writeUInt32LE(size, 40);
    writeFileSync(wav, bytes);
    truncateSync(wav, 44 + size);
    const video = join(huge, 'hour.mp4');
    await writeVideo(video, { rate: 1, frames: 3600, colour: () => [9, 9, 9] });
    const { bavail, bsize } = statfsSync(folder);
    const one = 3600 * (288_000 + 2 * 3 * 48 * 64);
    const count = Math.ceil((bavail * bsize) / one) + 20;
    const many = Array.from({ length: count }, (_, i): Clip => {
      linkSync(wav, join(huge, `${i}.wav`));
      const source = { file: 'fold1_train.csv', line: i + 2 };
      const names = { name: `${i}`, audio: `${i}.wav`, video: 'hour.mp4' };
      return { ...names, label: 0, location: undefined, source };
    });
    const other = join(folder, 'huge-cache');
    const failure = await prepareClips(huge, many, { cache: other }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    console.log((failure as Error).message);
    const needed = ((count * one) / 1e9).toFixed(1);
    expect((failure as Error).message).toMatch(
      new RegExp(
        `^preparing ${count} clips takes about ${needed} GB, and the disk that holds .* has [0-9.]+ GB free: free some`,
      ),
    );
    expect(readdirSync(other)).toEqual([]);
  }, 60_000);
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
  it('are read and prepared', async () => {
    const train = await readSplit(tau, 'train');
    const evaluate = await readSplit(tau, 'evaluate');
    expect([train.length + evaluate.length, (await readSplit(tau, 'test')).length]).toEqual([
      11,
      evaluate.length,
    ]);
    const start = performance.now();
    const all = [...train, ...evaluate];
    const { clips: stored } = await prepareClips(tau, all, { cache: join(folder, 'tau'), workers: 1 });
    const seconds = (performance.now() - start) / 1000;
    const bytes = stored.reduce((sum, { path }) => sum + statSync(path).size, 0);
    console.log(
      `11 clips of 10 s stored in ${seconds.toFixed(2)} s by one thread, ${(bytes / 11e6).toFixed(2)} MB each`,
    );
    expect(stored.map((clip) => clip.seconds)).toEqual(stored.map(() => 10));
    const file = await openClipFile(stored[0]?.path ?? '');
    expect([file.format, file.height, file.width]).toEqual(['i24', 256, 256]);
    // The samples of the file, as the file has them: 24 bits each, left and right in turn.
    const wav = readFileSync(join(tau, stored[0]?.audio ?? ''));
    const data = wav.indexOf('data') + 8;
    const [left] = await readSound(file, 3);
    for (let i = 0; i < 48_000; i++) {
      const at = data + 6 * (3 * 48_000 + i);
      if (wav.readIntLE(at, 3) / 2 ** 23 !== left[i]) throw new Error(`sample ${i} differs`);
    }
    expect(new Set(left).size).toBeGreaterThan(100);
  }, 60_000);
});
