import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertDisjoint } from '../../src/avsc/dataset/clips.ts';
import { SCENES } from '../../src/avsc/dataset/scenes.ts';
import { readSplit } from '../../src/avsc/node/data/dataset.ts';
import { decodeFrames, decodeSound } from '../../src/avsc/node/data/media/decode.ts';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import { SCENE_RULES, type PictureFamily, type SoundFamily } from '../../src/avsc/synth/rules.ts';
import { makeCamera } from '../../src/avsc/synth/picture.ts';
import { planClips } from '../../src/avsc/synth/plan.ts';
import { makeSound } from '../../src/avsc/synth/sound.ts';
import { temporaryFolder } from './media-files.ts';

const folder = temporaryFolder();
const sha = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const same = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

describe('the rules of the made data set', () => {
  it('give each sound and each picture to two scenes and each pair to one', () => {
    const rules = SCENES.map((scene) => SCENE_RULES[scene]);
    const uses = (values: readonly string[]): number[] =>
      [...new Set(values)].map((value) => values.filter((other) => other === value).length);
    expect(uses(rules.map((rule) => rule.sound))).toEqual([2, 2, 2, 2, 2]);
    expect(uses(rules.map((rule) => rule.picture))).toEqual([2, 2, 2, 2, 2]);
    expect(new Set(rules.map((rule) => `${rule.sound} ${rule.picture}`)).size).toBe(10);
  });

  it('plan splits that share no location', () => {
    const clips = planClips({ seed: 3, train: 4, evaluate: 2, seconds: 10 });
    expect(clips.length).toBe(60);
    const places = (split: string): Set<string> =>
      new Set(clips.filter((clip) => clip.split === split).map((clip) => clip.location));
    expect([places('train').size, places('evaluate').size]).toEqual([40, 20]);
    for (const place of places('evaluate')) expect(places('train').has(place)).toBe(false);
    expect(() => planClips({ seed: 3, train: 0, evaluate: 2, seconds: 10 })).toThrow(
      /integers from 1 to 1000, got 0/,
    );
    expect(() => planClips({ seed: -1, train: 1, evaluate: 2, seconds: 10 })).toThrow(/seed/);
    expect(() => planClips({ seed: 1, train: 1, evaluate: 2, seconds: 0.5 })).toThrow(
      /from 1 to 60 s, got 0.5/,
    );
  });

  it('make sounds that vary with location and clip, and differ by family', () => {
    const families: SoundFamily[] = ['engine', 'clatter', 'wash', 'birds', 'babble'];
    for (const family of families) {
      const [left, right] = makeSound(family, 'a', 'x', 1);
      const peak = left.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(peak).toBeGreaterThan(0.05);
      expect(peak).toBeLessThanOrEqual(0.9001);
      const again = makeSound(family, 'a', 'x', 1);
      expect([same(again[0], left), same(again[1], right)]).toEqual([true, true]);
      expect(same(right, left)).toBe(false);
      expect(same(makeSound(family, 'b', 'x', 1)[0], left)).toBe(false);
      expect(same(makeSound(family, 'a', 'y', 1)[0], left)).toBe(false);
    }
  });

  it('make pictures that vary with location and clip and move', () => {
    const families: PictureFamily[] = ['interior', 'tunnel', 'road', 'facades', 'horizon'];
    const draw = (family: PictureFamily, place: string, clip: string, time: number): Uint8Array => {
      const rgba = new Uint8Array(4 * 32 * 32);
      makeCamera(family, place, clip, 32)(time, rgba);
      return rgba;
    };
    for (const family of families) {
      const first = draw(family, 'a', 'x', 0);
      expect(draw(family, 'a', 'x', 0)).toEqual(first);
      for (const other of [draw(family, 'b', 'x', 0), draw(family, 'a', 'y', 0), draw(family, 'a', 'x', 1)]) {
        expect(other).not.toEqual(first);
      }
      const range =
        Math.max(...first.filter((_, i) => i % 4 === 0)) - Math.min(...first.filter((_, i) => i % 4 === 0));
      expect(range).toBeGreaterThan(20);
    }
  });
});

describe('the made data set in a folder', () => {
  const size = { seed: 7, train: 1, evaluate: 1, seconds: 1 } as const;

  it('has the layout of TAU, the same bytes for the same seed, and is made once', async () => {
    const root = join(folder, 'made');
    const twin = join(folder, 'twin');
    const start = performance.now();
    expect(await makeDataset(root, size)).toEqual({ made: true });
    console.log(`20 clips of 1 s made in ${((performance.now() - start) / 1000).toFixed(2)} s`);
    expect(await makeDataset(root, size)).toEqual({ made: false });
    await makeDataset(twin, size, { workers: 1 });
    const train = await readSplit(root, 'train');
    const evaluate = await readSplit(root, 'evaluate');
    assertDisjoint(train, evaluate);
    expect(train.map((clip) => clip.label)).toEqual(SCENES.map((_, i) => i));
    expect((await readSplit(root, 'test')).map((clip) => clip.label)).toEqual(SCENES.map(() => undefined));
    let equal = 0;
    for (const { audio, video } of [...train, ...evaluate]) {
      expect(sha(join(root, audio))).toBe(sha(join(twin, audio)));
      if (sha(join(root, video)) === sha(join(twin, video))) equal += 1;
    }
    console.log(`${equal} of 20 videos have the same bytes`);
    expect(equal).toBe(20);
    const [clip] = train;
    if (!clip) throw new Error('no clip');
    const { sampleRate, channels } = await decodeSound(join(root, clip.audio));
    expect([sampleRate, channels.length, channels[0]?.length]).toEqual([48_000, 2, 48_000]);
    // Header of 44 bytes, then 24 bits for each sample of two channels.
    expect(readFileSync(join(root, clip.audio)).length).toBe(44 + 48_000 * 6);
    expect((await decodeFrames(join(root, clip.video))).seconds).toBe(1);
  }, 60_000);

  it('leaves a folder alone that holds something else, and says so', async () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'thesis.txt'), 'precious');
    await expect(makeDataset(other, size)).rejects.toThrow(/other already holds something else/);
    expect(readFileSync(join(other, 'thesis.txt'), 'utf8')).toBe('precious');
    await expect(makeDataset(join(folder, 'made'), { ...size, seed: 8 })).rejects.toThrow(
      /choose another folder/,
    );
  });

  it('stops when it is told to and leaves nothing behind', async () => {
    const root = join(folder, 'stopped');
    const controller = new AbortController();
    const making = makeDataset(root, size, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(making).rejects.toThrow('enough');
    await expect(readSplit(root, 'train')).rejects.toThrow(/stopped does not exist/);
  }, 30_000);
});
