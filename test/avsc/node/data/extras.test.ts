import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinSeconds, type Stereo } from '../../../../src/avsc/audio/clip.ts';
import { makeExtraSound, planExtras } from '../../../../src/avsc/augment/sound/extras.ts';
import { randomStream } from '../../../../src/avsc/dataset/random.ts';
import { LogMelExtractor } from '../../../../src/avsc/features/logmel.ts';
import { openClipFile, readSounds } from '../../../../src/avsc/node/data/clip-file.ts';
import { readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { makeExtras, type ExtrasOptions } from '../../../../src/avsc/node/data/extras.ts';
import { createLoader } from '../../../../src/avsc/node/data/loader.ts';
import { prepareClips, type PreparedClip } from '../../../../src/avsc/node/data/prepare.ts';
import type { SpaceEstimate } from '../../../../src/avsc/node/data/space.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { StorageError } from '../../../../src/node/files.ts';
import { SHARED, temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const root = join(folder, 'set');
const cache = join(folder, 'cache');
const SIZE = 24;
const COPIES = { pitch: 1, mix: 2 } as const;
const SEED = 6;

let clips: PreparedClip[] = [];
let extras: PreparedClip[] = [];

beforeAll(async () => {
  await makeDataset(root, { seed: 2, train: 2, evaluate: 1, seconds: 1 });
  const listed = (await readSplit(root, 'train')).filter(({ label }) => label !== undefined && label < 2);
  expect(listed).toHaveLength(4);
  ({ clips } = await prepareClips(root, listed, { cache, size: SIZE, inputs: ['logmel', 'frames'] }));
  extras = await make();
}, 60_000);

const make = (options: Partial<ExtrasOptions> = {}, seed = SEED): Promise<PreparedClip[]> =>
  makeExtras(clips, COPIES, seed, { cache, ...options });

const soundOf = async ({ path }: Pick<PreparedClip, 'path'>): Promise<Stereo> =>
  joinSeconds(await readSounds(await openClipFile(path)));

const entries = (parent = cache): string[] =>
  readdirSync(join(parent, 'extras'))
    .filter((name) => name.endsWith('.clip'))
    .sort();

describe('extra clips', () => {
  it('are planned, made and listed; label, place and pictures are the originals', async () => {
    const plan = planExtras(
      clips.map(({ name, label }) => ({ name, label: label ?? -1 })),
      COPIES,
      SEED,
    );
    expect(extras.map(({ name }) => name)).toEqual(plan.map(({ name }) => name));
    expect(extras).toHaveLength(12);
    for (const [i, extra] of extras.entries()) {
      const original = clips.find(({ name }) => name === plan[i]?.clip);
      const { label, location, source, seconds, derived } = extra;
      expect({ label, location, source, seconds }).toEqual({
        label: original?.label,
        location: original?.location,
        source: original?.source,
        seconds: 1,
      });
      expect(extra.pictures).toBe(original?.path);
      expect(derived?.frames).toBe(original?.derived?.frames);
      expect(extra.path).not.toBe(original?.path);
    }
    const folders = readdirSync(join(cache, 'extras'), { withFileTypes: true }).filter((each) =>
      each.isDirectory(),
    );
    expect(folders).toHaveLength(1);
    const text = readFileSync(join(cache, 'extras', folders[0]?.name ?? '', 'manifest.json'), 'utf8');
    const manifest = JSON.parse(text) as { seed: number; copies: object; clips: Record<string, unknown>[] };
    expect([manifest.seed, manifest.copies]).toEqual([SEED, COPIES]);
    expect(manifest.clips).toEqual(
      plan.map(({ name, clip, op, copy, partner }, i) => ({
        name,
        clip,
        op,
        copy,
        value: op === 'pitch' ? [expect.any(Number)] : [expect.any(Number), expect.any(Number)],
        partner: partner ?? null,
        file: basename(extras[i]?.path ?? ''),
        seconds: 1,
      })),
    );
    // What the manifest says makes the same sound again.
    for (const [i, entry] of manifest.clips.entries()) {
      const { op, clip, partner, key } = plan[i] ?? {};
      const [original, other] = [clip, partner].map((name) => clips.find((each) => each.name === name));
      if (!original || !op || key === undefined) throw new Error('no original');
      const { sound } = makeExtraSound({
        op,
        sound: await soundOf(original),
        partner: other && (await soundOf(other)),
        random: randomStream(key),
        value: entry['value'] as number[],
      });
      const made = await soundOf(extras[i] as PreparedClip);
      expect(made.map((channel) => Buffer.from(channel.buffer).length)).toEqual([192_000, 192_000]);
      expect(made).toEqual(sound.map((channel) => Float32Array.from(channel)));
      expect(made).not.toEqual(await soundOf(original));
    }
  });

  it('are inputs like other clips: features of the new sound, frames of the original', async () => {
    const sources = { audio: 'logmel', video: 'frames' } as const;
    const [original] = clips;
    const extra = extras.find(({ name }) => name === `${original?.name}+pitch-1`);
    if (!original || !extra) throw new Error('no clip');
    const loader = await createLoader([original, extra], { batchSize: 2, sources, size: SIZE });
    for await (const { inputs, samples } of loader.batches(0)) {
      const { logmel = new Float32Array(), frames = new Uint8Array() } = inputs;
      const [own] = new LogMelExtractor().seconds(await soundOf(extra));
      expect(logmel.subarray(logmel.length / 2)).toEqual(own?.data);
      expect(logmel.subarray(0, logmel.length / 2)).not.toEqual(own?.data);
      expect(frames.subarray(0, frames.length / 2)).toEqual(frames.subarray(frames.length / 2));
      expect(samples[0]?.key).not.toBe(samples[1]?.key);
    }
    const waves = await createLoader([extra], {
      batchSize: 1,
      sources: { audio: 'waveform', video: 'nothing' },
    });
    for await (const { inputs } of waves.batches(0)) {
      const [left, right] = await soundOf(extra);
      expect(inputs.waveform).toEqual(Float32Array.from([...left, ...right]));
    }
  });

  it('are found again; what is missing or damaged is made again to the same bytes', async () => {
    const before = entries().map((name) => readFileSync(join(cache, 'extras', name)));
    const estimates: SpaceEstimate[] = [];
    const onEstimate = (estimate: SpaceEstimate): void => void estimates.push(estimate);
    expect(await make({ onEstimate })).toEqual(extras);
    expect(estimates).toEqual([]);
    const [a = '', b = ''] = entries().map((name) => join(cache, 'extras', name));
    rmSync(a);
    const flipped = readFileSync(b);
    flipped[flipped.length - 5] = (flipped[flipped.length - 5] ?? 0) ^ 1;
    writeFileSync(b, flipped);
    expect(await make({ onEstimate })).toEqual(extras);
    expect(estimates).toMatchObject([{ clips: 1, needed: before[0]?.length }]);
    entries().forEach((name, i) =>
      expect(readFileSync(join(cache, 'extras', name)).equals(before[i] ?? Buffer.of())).toBe(true),
    );
  });

  it('of another seed are others; of more copies, the same and more', async () => {
    const paths = new Set(extras.map(({ path }) => path));
    const other = await make({}, SEED + 1);
    expect(other.filter(({ path }) => paths.has(path))).toEqual([]);
    const more = await makeExtras(clips, { ...COPIES, pitch: 2 }, SEED, { cache });
    expect(more).toHaveLength(16);
    expect(more.filter(({ path }) => paths.has(path))).toHaveLength(12);
    expect(await makeExtras(clips, {}, SEED, { cache })).toEqual([]);
  });

  it('stop when told to and go on', async () => {
    const other = join(folder, 'stopped');
    const stop = new AbortController();
    const stopped = make({
      cache: other,
      workers: 1,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 5) stop.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(entries(other)).toHaveLength(5);
    const kept = new Map(entries(other).map((name) => [name, readFileSync(join(other, 'extras', name))]));
    const resumed = await make({ cache: other });
    expect(resumed.map(({ name }) => name)).toEqual(extras.map(({ name }) => name));
    for (const [name, bytes] of kept)
      expect(readFileSync(join(other, 'extras', name)).equals(bytes)).toBe(true);
    for (const name of entries(other))
      expect(
        readFileSync(join(other, 'extras', name)).equals(readFileSync(join(cache, 'extras', name))),
      ).toBe(true);
  });

  it('say when they cannot be written', async () => {
    const path = extras[0]?.path ?? '';
    rmSync(path);
    // A file cannot take the place of a folder that is not empty.
    mkdirSync(join(path, 'folder'), { recursive: true });
    const failure = await make().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageError);
    expect((failure as Error).message).toContain(`cannot write ${path}`);
    rmSync(path, { recursive: true });
    expect(await make()).toEqual(extras);
  });

  it('name an original that is damaged, and a clip without a label', async () => {
    const [first, ...rest] = clips;
    if (!first) throw new Error('no clip');
    const broken = join(folder, 'broken.clip');
    writeFileSync(broken, readFileSync(first.path).subarray(0, 1000));
    await expect(
      makeExtras([{ ...first, path: broken }, ...rest], { noise: 1 }, SEED, { cache }),
    ).rejects.toThrow(/^the extra clip .*\+noise-1 could not be made: .*broken.clip is damaged/);
    await expect(makeExtras([{ ...first, label: undefined }], { noise: 1 }, SEED, { cache })).rejects.toThrow(
      /fold1_train.csv, row 2: an extra clip needs a label/,
    );
    await expect(makeExtras(clips, { noise: 1.5 }, SEED, { cache })).rejects.toThrow(
      /cannot make 1.5 extra clips/,
    );
  });
});

const tau = join(SHARED, 'data/tau-mini');
describe.skipIf(!existsSync(tau))(`real recordings (needs ${tau})`, () => {
  it('have extra clips of each operation', async () => {
    const all = (await readSplit(tau, 'train')).slice(0, 3);
    const { clips: stored } = await prepareClips(tau, all, {
      cache: join(folder, 'tau'),
      inputs: ['logmel'],
    });
    for (const op of ['pitch', 'stretch', 'noise', 'mix'] as const) {
      const start = performance.now();
      const made = await makeExtras(stored, { [op]: 1 }, 1, { cache: join(folder, 'tau'), workers: 1 });
      const seconds = (performance.now() - start) / 1000;
      console.log(`${made.length} extra clips of 10 s by ${op} in ${seconds.toFixed(2)} s by one thread`);
      expect(made.map((clip) => clip.seconds)).toEqual([10, 10, 10]);
      const [left] = await soundOf(made[0] as PreparedClip);
      const [before] = await soundOf(stored[0] as PreparedClip);
      const rms = (x: Float32Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
      expect(rms(left) / rms(before)).toBeGreaterThan(0.2);
      expect(rms(left) / rms(before)).toBeLessThan(20);
    }
  }, 60_000);
});
