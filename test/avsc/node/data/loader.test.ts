import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSplit } from '../../../../src/avsc/node/data/dataset.ts';
import { inputBytes } from '../../../../src/avsc/node/data/derive.ts';
import { InputReader, openInput } from '../../../../src/avsc/node/data/input-source.ts';
import {
  createLoader,
  partnerRows,
  type Batch,
  type Loader,
  type LoaderOptions,
  type Sources,
} from '../../../../src/avsc/node/data/loader.ts';
import { prepareClips, type Prepared } from '../../../../src/avsc/node/data/prepare.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { SHARED, temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const root = join(folder, 'set');
const cache = join(folder, 'cache');
const SIZE = 24;
const FRAME_BYTES = 2 * 3 * SIZE * SIZE;
const LOGMEL = 6 * 128 * 39;
const BOTH: Sources = { audio: 'logmel', video: 'frames' };

let prepared: Prepared;

beforeAll(async () => {
  await makeDataset(root, { seed: 2, train: 1, evaluate: 1, seconds: 2 });
  const clips = await readSplit(root, 'train');
  prepared = await prepareClips(root, clips, { cache, size: SIZE, inputs: ['logmel', 'openl3', 'frames'] });
}, 60_000);

/** A loader of the made data set, at the size of the tests. */
const load = (options: Omit<LoaderOptions, 'sources'> & { sources?: Sources }): Promise<Loader> =>
  createLoader(prepared.clips, { sources: BOTH, size: SIZE, ...options });

/** A batch with checksums of its rows in place of arrays that are reused. */
interface Copy {
  readonly step: number;
  readonly count: number;
  readonly names: string[];
  readonly rowNames: (string | null)[];
  readonly rows: number[];
  readonly labels: number[][];
  readonly classes: number[];
  readonly mix: { partner: number[]; ratio: number[] } | null;
}

const nameOf = ({ clip, second }: Batch['samples'][number]): string => `${clip.name}/${second}`;

function copy(batch: Batch): Copy {
  const { step, count, rows, samples, rowSamples, inputs, labels, classes, mix } = batch;
  const digest = (row: number): number =>
    Object.values(inputs).reduce((sum, values) => {
      const bytes = values.byteLength / rows;
      return crc32(new Uint8Array(values.buffer, row * bytes, bytes), sum);
    }, 0);
  return {
    step,
    count,
    names: samples.map(nameOf),
    rowNames: rowSamples.map((sample) => sample && nameOf(sample)),
    rows: Array.from({ length: rows }, (_, row) => digest(row)),
    labels: Array.from({ length: classes.length }, (_, i) => [...labels.slice(10 * i, 10 * i + 10)]),
    classes: [...classes],
    mix: mix && { partner: [...mix.partner], ratio: [...mix.ratio] },
  };
}

async function collect(loader: Loader, epoch: number, from?: number): Promise<Copy[]> {
  const batches: Copy[] = [];
  for await (const batch of loader.batches(epoch, from)) batches.push(copy(batch));
  return batches;
}

describe('the loader', () => {
  it('gives each sample once an epoch, in another order each epoch', async () => {
    const loader = await load({ batchSize: 4, shuffle: { seed: 1 } });
    expect([loader.sampleCount, loader.steps]).toEqual([20, 5]);
    const first = (await collect(loader, 0)).flatMap(({ names }) => names);
    const second = (await collect(loader, 1)).flatMap(({ names }) => names);
    expect(new Set(first).size).toBe(20);
    expect([...second].sort()).toEqual([...first].sort());
    expect(second).not.toEqual(first);
  });

  it('resumes at any step with the same batches, however far it reads ahead', async () => {
    const loader = await load({ batchSize: 3, shuffle: { seed: 9 } });
    const whole = await collect(loader, 4);
    expect(whole).toMatchObject([0, 1, 2, 3, 4, 5].map((step) => ({ step })));
    expect(await collect(loader, 4, 3)).toEqual(whole.slice(3));
    const eager = await load({ batchSize: 3, shuffle: { seed: 9 }, readAhead: 6 });
    const lazy = await load({ batchSize: 3, shuffle: { seed: 9 }, readAhead: 0 });
    expect(await collect(eager, 4)).toEqual(whole);
    expect(await collect(lazy, 4)).toEqual(whole);
  });

  it('drops a short last batch in training and pads it in evaluation', async () => {
    const training = await load({ batchSize: 8, shuffle: { seed: 1 } });
    expect((await collect(training, 0)).map(({ count }) => count)).toEqual([8, 8]);
    const evaluation = await load({ batchSize: 8 });
    const counts: number[] = [];
    const names: string[] = [];
    for await (const { count, rows, samples, rowSamples, classes, labels, inputs, mix } of evaluation.batches(
      0,
    )) {
      expect([rows, rowSamples.length, mix]).toEqual([8, 8, null]);
      counts.push(count);
      names.push(...samples.map(nameOf));
      if (count === 8) continue;
      expect([...classes]).toEqual([8, 8, 9, 9, -1, -1, -1, -1]);
      expect(rowSamples.slice(4)).toEqual([null, null, null, null]);
      expect(labels.subarray(40).every((x) => x === 0)).toBe(true);
      expect(inputs.logmel).toHaveLength(8 * LOGMEL);
      expect(inputs.logmel?.subarray(4 * LOGMEL).every((x) => x === 0)).toBe(true);
      expect(inputs.frames?.subarray(4 * FRAME_BYTES).every((x) => x === 0)).toBe(true);
      expect(inputs.frames?.subarray(0, 4 * FRAME_BYTES).some((x) => x > 0)).toBe(true);
    }
    expect(counts).toEqual([8, 8, 4]);
    expect(names).toEqual(prepared.clips.flatMap(({ name }) => [`${name}/0`, `${name}/1`]));
  });

  it('gives inputs as they are stored, frames as words without a copy, one-hot labels', async () => {
    const reader = new InputReader();
    for (const audio of ['logmel', 'openl3', 'waveform'] as const) {
      const loader = await load({ batchSize: 20, sources: { audio, video: 'frames' } });
      for await (const { inputs, labels, classes, samples } of loader.batches(0)) {
        expect(Object.keys(inputs).sort()).toEqual([audio, 'frames'].sort());
        const words = new Uint32Array(inputs.frames?.buffer ?? new ArrayBuffer(0));
        expect(words).toHaveLength((20 * FRAME_BYTES) / 4);
        for (const [slot, { clip, second }] of samples.entries()) {
          const oneHot = [...labels.subarray(slot * 10, slot * 10 + 10)];
          expect(oneHot).toEqual(oneHot.map((_, i) => (i === classes[slot] ? 1 : 0)));
          for (const input of [audio, 'frames'] as const) {
            const bytes = inputBytes(input, SIZE);
            const expected = new Uint8Array(bytes);
            await reader.read(await openInput(clip, input, SIZE), second, expected);
            const found = Buffer.from(inputs[input]?.buffer ?? new ArrayBuffer(0), slot * bytes, bytes);
            expect(found.equals(expected)).toBe(true);
          }
        }
      }
    }
    await reader.close();
  });

  it('gives samples keys of their names', async () => {
    const keys = new Set<number>();
    const loader = await load({ batchSize: 20 });
    for await (const { samples } of loader.batches(0)) for (const { key } of samples) keys.add(key);
    expect(keys.size).toBe(20);
    for (const key of keys) expect(Number.isInteger(key) && key >= 0 && key < 2 ** 32).toBe(true);
    const few = await createLoader(prepared.clips.slice(3, 4), { batchSize: 2, sources: BOTH, size: SIZE });
    for await (const { samples } of few.batches(0))
      for (const { key } of samples) expect(keys.has(key)).toBe(true);
  });

  it('takes the first samples of the order for short runs', async () => {
    const loader = await load({ batchSize: 4, shuffle: { seed: 1 }, dropLast: false, maxSamples: 6 });
    expect([loader.sampleCount, loader.steps]).toEqual([6, 2]);
    const all = (await collect(await load({ batchSize: 4, shuffle: { seed: 1 } }), 0)).flatMap(
      ({ names }) => names,
    );
    const batches = await collect(loader, 0);
    expect(batches.map(({ count }) => count)).toEqual([4, 2]);
    expect(batches.flatMap(({ names }) => names)).toEqual(all.slice(0, 6));
    expect((await load({ batchSize: 4, maxSamples: 100 })).sampleCount).toBe(20);
  });

  it('refuses an empty set, options out of range, clips that are not prepared, and damaged ones', async () => {
    await expect(createLoader([], { batchSize: 2, sources: BOTH, size: SIZE })).rejects.toThrow(
      /the split is empty/,
    );
    await expect(load({ batchSize: 0 })).rejects.toThrow(/at least 1, got 0/);
    await expect(load({ batchSize: 1, maxSamples: 0 })).rejects.toThrow(/at least 1, got 0/);
    await expect(load({ batchSize: 21, shuffle: { seed: 1 } })).rejects.toThrow(
      /20 samples do not fill one batch of 21/,
    );
    await expect(load({ batchSize: 2, size: 16 })).rejects.toThrow(
      /does not hold frames of 16 pixels of 2 s/,
    );
    await expect(createLoader(prepared.clips, { batchSize: 2, sources: BOTH })).rejects.toThrow(
      /need a size/,
    );
    const mixup = { share: 0.5, ratio: { alpha: 0.4 } };
    await expect(load({ batchSize: 2, mixup })).rejects.toThrow(/mixup needs a shuffled order/);
    await expect(
      load({ batchSize: 2, shuffle: { seed: 1 }, mixup: { ...mixup, share: 1.5 } }),
    ).rejects.toThrow(/from 0 to 1, got 1.5/);
    const [first] = prepared.clips;
    if (!first) throw new Error('no clip');
    const bare = { ...first, derived: {} };
    await expect(createLoader([bare], { batchSize: 2, sources: BOTH, size: SIZE })).rejects.toThrow(
      /was not prepared for logmel/,
    );
    const broken = join(folder, 'broken.input');
    const bytes = readFileSync(first.derived?.logmel ?? '');
    bytes[300] = (bytes[300] ?? 0) ^ 255;
    writeFileSync(broken, bytes);
    const damaged = { ...first, derived: { ...first.derived, logmel: broken } };
    const loader = await createLoader([damaged], { batchSize: 2, sources: BOTH, size: SIZE });
    await expect(collect(loader, 0)).rejects.toThrow(/broken.input is damaged.*wavelight prepare/);
  });

  it('says which file went away while it reads', async () => {
    const path = join(folder, 'gone.input');
    const [first] = prepared.clips;
    if (!first) throw new Error('no clip');
    writeFileSync(path, readFileSync(first.derived?.logmel ?? ''));
    const clip = { ...first, derived: { ...first.derived, logmel: path } };
    const loader = await createLoader([clip], { batchSize: 1, sources: BOTH, size: SIZE });
    rmSync(path);
    await expect(collect(loader, 0)).rejects.toThrow(/gone.input/);
  });
});

describe('mixup', () => {
  /** Partner and ratio of each sample that is mixed, by its name. */
  function mixesOf(batches: readonly Copy[]): Map<string, [partner: string, ratio: number]> {
    const mixes = new Map<string, [string, number]>();
    for (const { names, rowNames, mix } of batches) {
      names.forEach((name, slot) => {
        const row = mix?.partner[slot] ?? slot;
        if (row !== slot) mixes.set(name, [rowNames[row] ?? 'nobody', mix?.ratio[slot] ?? NaN]);
        else expect(mix?.ratio[slot]).toBe(1);
      });
    }
    return mixes;
  }

  it.each([0.2, 0.35, 0.5, 1])('of a share of %f mixes as many, and has rows for them', async (share) => {
    const options = {
      shuffle: { seed: 5 },
      dropLast: false,
      mixup: { share, ratio: { alpha: 0.4 } },
    } as const;
    const expected = new Map<string, [string, number]>();
    for (const batchSize of [1, 3, 7, 20]) {
      const loader = await load({ ...options, batchSize });
      const batches = await collect(loader, 2);
      const rows = batchSize + partnerRows(batchSize, share);
      for (const batch of batches) expect(batch.rowNames).toHaveLength(rows);
      const mixes = mixesOf(batches);
      expect(mixes.size).toBe(Math.floor(20 * share));
      if (expected.size === 0) mixes.forEach((mix, name) => expected.set(name, mix));
      expect(mixes).toEqual(expected);
      const from = Math.min(2, loader.steps - 1);
      const resumed = await collect(loader, 2, from);
      expect(resumed).toEqual(batches.slice(from));
    }
    const other = mixesOf(await collect(await load({ ...options, batchSize: 7 }), 3));
    expect(other.size).toBe(Math.floor(20 * share));
    expect(other).not.toEqual(expected);
  });

  it('has each partner in its row, unused rows of zeros, and mixed labels', async () => {
    const single = new Map<string, number>();
    for (const { names, rows } of await collect(await load({ batchSize: 1 }), 0)) {
      names.forEach((name, slot) => single.set(name, rows[slot] ?? NaN));
    }
    const zeros = crc32(new Uint8Array(FRAME_BYTES), crc32(new Uint8Array(4 * LOGMEL)));
    const loader = await load({
      batchSize: 8,
      shuffle: { seed: 5 },
      dropLast: false,
      mixup: { share: 0.3, ratio: { alpha: 0.4 } },
    });
    let unused = 0;
    for (let epoch = 0; epoch < 3; epoch++) {
      for (const { count, names, rowNames, rows, labels, classes, mix } of await collect(loader, epoch)) {
        expect(rows).toEqual(rowNames.map((name) => (name === null ? zeros : single.get(name))));
        unused += rowNames.slice(8).filter((name) => name === null).length;
        for (let slot = 0; slot < 8; slot++) {
          const partner = rowNames[mix?.partner[slot] ?? NaN];
          const ratio = mix?.ratio[slot] ?? NaN;
          const wanted = new Array<number>(10).fill(0);
          const add = (name: string | null | undefined, value: number): void => {
            const label = prepared.clips.find((clip) => name?.startsWith(`${clip.name}/`))?.label;
            if (label !== undefined) wanted[label] = (wanted[label] ?? 0) + value;
          };
          add(names[slot], ratio);
          add(partner, 1 - ratio);
          labels[slot]?.forEach((value, c) => expect(value).toBeCloseTo(wanted[c] ?? NaN, 6));
          if (slot < count) expect(classes[slot]).toBeGreaterThanOrEqual(0);
        }
      }
    }
    expect(unused).toBeGreaterThan(0);
  });

  it('with a fixed ratio takes it; without a share it has no rows', async () => {
    const loader = await load({
      batchSize: 5,
      shuffle: { seed: 5 },
      mixup: { share: 1, ratio: { fixed: 0.25 } },
    });
    for (const { mix, rowNames } of await collect(loader, 0)) {
      expect(mix?.ratio).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
      expect(mix?.partner).toEqual([5, 6, 7, 8, 9]);
      expect(rowNames).toHaveLength(10);
    }
    const none = await load({ batchSize: 5, shuffle: { seed: 5 }, mixup: { share: 0, ratio: { alpha: 1 } } });
    for (const { mix, rowNames } of await collect(none, 0)) {
      expect(mix).toEqual({ partner: [0, 1, 2, 3, 4], ratio: [1, 1, 1, 1, 1] });
      expect(rowNames).toHaveLength(5);
    }
  });

  it('draws partners from all samples alike', async () => {
    const loader = await load({
      batchSize: 20,
      sources: { audio: 'nothing', video: 'frames' },
      shuffle: { seed: 11 },
      mixup: { share: 1, ratio: { alpha: 0.4 } },
    });
    const counts = new Map<string, number>();
    const ratios: number[] = [];
    for (let epoch = 0; epoch < 200; epoch++) {
      for await (const { rowSamples, mix } of loader.batches(epoch)) {
        for (const sample of rowSamples.slice(20)) {
          const name = sample ? nameOf(sample) : 'none';
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        ratios.push(...(mix?.ratio ?? []));
      }
    }
    // 4000 draws of 20: 200 each with a standard deviation of 14; Beta(0.4, 0.4) has mean 0.5 and variance 1 / 7.2.
    expect(counts.size).toBe(20);
    const [low, high] = [Math.min(...counts.values()), Math.max(...counts.values())];
    const mean = ratios.reduce((a, b) => a + b) / ratios.length;
    const variance = ratios.reduce((sum, x) => sum + (x - mean) ** 2, 0) / ratios.length;
    console.log(
      `partners ${low}..${high} times; ratios: mean ${mean.toFixed(4)}, variance ${variance.toFixed(4)}`,
    );
    expect(low).toBeGreaterThan(200 - 5 * 14);
    expect(high).toBeLessThan(200 + 5 * 14);
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 7.2 / ratios.length));
    expect(Math.abs(variance - 1 / 7.2)).toBeLessThan(0.01);
  });
});

const tau = join(SHARED, 'data/tau-mini');
describe.skipIf(!existsSync(tau))(`real recordings (needs ${tau})`, () => {
  it('are batched', async () => {
    const all = [...(await readSplit(tau, 'train')), ...(await readSplit(tau, 'evaluate'))];
    const { clips } = await prepareClips(tau, all, {
      cache: join(folder, 'tau'),
      inputs: ['logmel', 'frames'],
    });
    const loader = await createLoader(clips, {
      batchSize: 32,
      shuffle: { seed: 1 },
      sources: BOTH,
      size: 224,
      mixup: { share: 0.2, ratio: { alpha: 0.4 } },
    });
    const begin = performance.now();
    let rows = 0;
    let count = 0;
    for await (const { samples, rowSamples, inputs } of loader.batches(0)) {
      count += samples.length;
      rows += rowSamples.filter((sample) => sample !== null).length;
      expect(inputs.frames?.subarray(0, 1000).some((x) => x !== inputs.frames?.[0])).toBe(true);
    }
    const rate = rows / ((performance.now() - begin) / 1000);
    console.log(`${rate.toFixed(0)} rows of log-mel and two frames of 224 x 224 per second`);
    expect([count, rows]).toEqual([96, 96 + Math.floor(96 * 0.2)]);
  }, 60_000);
});
