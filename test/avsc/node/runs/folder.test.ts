import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../../../src/avsc/node/runs/checkpoint.ts';
import { LineLog } from '../../../../src/avsc/node/runs/line-log.ts';
import { encodeNpy } from '../../../../src/avsc/node/data/npy.ts';
import {
  createRun,
  freeRunPath,
  newestRun,
  newestUnfinishedRun,
  openRun,
  runFiles,
} from '../../../../src/avsc/node/runs/folder.ts';
import { submissionTable } from '../../../../src/avsc/node/runs/submission.ts';
import { SCENES } from '../../../../src/avsc/dataset/scenes.ts';
import type { PreparedClip } from '../../../../src/avsc/node/data/prepare.ts';
import { preset } from '../../../../src/avsc/experiment/presets.ts';
import { makeRecipe, writeRecipe } from '../../../../src/avsc/experiment/recipe.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-run-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('run folder', () => {
  const recipe = makeRecipe({ ...preset('small'), seed: 7 }, { fcnn: null, densenet: null }, 40);

  it('gives back what it was made with and refuses a second run', async () => {
    const path = join(folder, 'a');
    await createRun(path, { data: '/data', recipe });
    expect((await openRun(path)).config).toEqual({ version: 2, data: '/data', recipe });
    await expect(createRun(path, { data: '/data', recipe })).rejects.toThrow('already holds a run');
  });

  it('names what is wrong with a configuration', async () => {
    await expect(openRun(join(folder, 'none'))).rejects.toThrow("is not a run's folder");
    const path = join(folder, 'b');
    await createRun(path, { data: '/data', recipe });
    await writeFile(
      join(path, 'config.json'),
      JSON.stringify({ version: 2, data: '', recipe: writeRecipe({ ...recipe, seed: -1 }) }),
    );
    await expect(openRun(path)).rejects.toThrow("config.json is not a run's configuration: seed is -1");
    await writeFile(join(path, 'config.json'), '{');
    await expect(openRun(path)).rejects.toThrow("is not a run's configuration");
  });

  it('finds the newest finished and unfinished run, and a free name', async () => {
    const parent = join(folder, 'runs');
    await expect(newestRun(parent)).rejects.toThrow('there is no finished run');
    for (const name of ['small-1', 'small-2']) await createRun(join(parent, name), { data: '/data', recipe });
    await writeFile(runFiles(join(parent, 'small-1')).results, '{}');
    expect((await newestRun(parent)).path).toBe(join(parent, 'small-1'));
    expect((await newestUnfinishedRun(parent)).path).toBe(join(parent, 'small-2'));
    expect(await freeRunPath('small', parent)).toBe(join(parent, 'small-3'));
  });
});

describe('line log', () => {
  it('is cut back to where a checkpoint was', async () => {
    const path = join(folder, 'log.jsonl');
    const first = new LineLog(path, 0);
    first.append({ step: 1 });
    const kept = first.bytes;
    first.append({ step: 2 });
    first.close();
    const second = new LineLog(path, kept);
    second.append({ step: 3 });
    second.close();
    expect(await readFile(path, 'utf8')).toBe('{"step":1}\n{"step":3}\n');
    expect(() => new LineLog(path, 1000)).toThrow('has 22 bytes, its checkpoint says 1000');
  });

  it.skipIf(process.platform !== 'linux')(
    'says in one sentence that the disk is full (needs /dev/full of Linux)',
    () => {
      const log = new LineLog('/dev/full');
      expect(() => log.append({ step: 1 })).toThrow('the disk that holds /dev is full');
      log.close();
    },
  );
});

describe('checkpoint', () => {
  const position = {
    stage: 'video',
    epoch: 2,
    step: 3,
    totalSteps: 40,
    lossSum: 1 / 3,
    recordBytes: 99,
  } as const;

  it('comes back as it was written', async () => {
    const path = join(folder, 'last.safetensors');
    expect(await readCheckpoint(path)).toBeUndefined();
    const model = new Map([['head.bias', { shape: [2], data: Float32Array.of(1, 2) }]]);
    const optimizer = new Map([['0.step', { shape: [], data: Int32Array.of(7) }]]);
    await writeCheckpoint(path, { position, model, optimizer });
    expect(await readCheckpoint(path)).toEqual({ position, model, optimizer });
  });

  it('refuses a damaged file', async () => {
    const path = join(folder, 'cut.safetensors');
    await writeCheckpoint(path, { position, model: new Map(), optimizer: new Map() });
    await writeFile(path, (await readFile(path)).subarray(0, 40));
    await expect(readCheckpoint(path)).rejects.toThrow('cut.safetensors is not a checkpoint to resume from');
  });
});

describe('submission file', () => {
  it("has one row per clip with the mean of its seconds' probabilities", () => {
    const clip = (name: string): PreparedClip => ({
      name,
      audio: `audio/${name}.wav`,
      video: `video/${name}.mp4`,
      label: undefined,
      location: undefined,
      source: { file: 'test.csv', line: 2 },
      path: '',
      seconds: 2,
    });
    const [a, b] = [clip('a'), clip('b')];
    const probabilities = new Float64Array(30);
    probabilities.set([1], 0);
    probabilities.set([0.2, 0.8], 10);
    probabilities.set([0, 0, 1], 20);
    const samples = [
      { clip: a, second: 0, key: 1 },
      { clip: a, second: 1, key: 2 },
      { clip: b, second: 0, key: 3 },
    ];
    const lines = submissionTable({ samples, probabilities }).split('\n');
    expect(lines[0]).toBe(`filename\tscene_label\t${SCENES.join('\t')}`);
    expect(lines[1]).toBe(`audio/a.wav\tairport\t0.600000\t0.400000${'\t0.000000'.repeat(8)}`);
    expect(lines[2]?.split('\t').slice(0, 2)).toEqual(['audio/b.wav', 'metro']);
    expect(lines).toHaveLength(4);
  });
});

describe('npy', () => {
  it('is what numpy writes', () => {
    const file = encodeNpy(Float32Array.of(1, 2, 3), [3]);
    expect(file.length).toBe(128 + 12);
    const header = new TextDecoder('latin1').decode(file.subarray(0, 128));
    expect(header.slice(10)).toBe(
      `{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }`.padEnd(117) + '\n',
    );
    expect([...file.subarray(0, 10)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0]);
    expect(() => encodeNpy(Float32Array.of(1), [2])).toThrow('2 values, got 1');
  });
});
