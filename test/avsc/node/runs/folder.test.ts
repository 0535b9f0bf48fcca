import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../../../src/avsc/node/runs/checkpoint.ts';
import { writeSafetensors } from '../../../../src/nn/checkpoint/safetensors/file.ts';
import { readTensors, writeTensors } from '../../../../src/avsc/node/runs/tensors-file.ts';
import { loadInitialWeights } from '../../../../src/avsc/node/runs/load.ts';
import { createModel, findStage } from '../../../../src/avsc/training/model.ts';
import { LineLog } from '../../../../src/avsc/node/runs/line-log.ts';
import { encodeNpy } from '../../../../src/avsc/node/data/npy.ts';
import {
  createRun,
  makeRunPath,
  newestRun,
  newestUnfinishedRun,
  openRun,
  removeTemporaries,
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

const recipe = makeRecipe({ ...preset('small'), seed: 7 }, { fcnn: null, densenet: null }, 40);

describe('run folder', () => {
  it('gives back what it was made with and refuses a second run', async () => {
    const path = join(folder, 'a');
    await createRun(path, { data: '/data', recipe });
    expect((await openRun(path)).config).toEqual({
      version: 3,
      data: '/data',
      recipeSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      recipe,
    });
    await expect(createRun(path, { data: '/data', recipe })).rejects.toThrow('already holds a run');
  });

  it('names what is wrong with a configuration', async () => {
    await expect(openRun(join(folder, 'none'))).rejects.toThrow("is not a run's folder");
    const path = join(folder, 'b');
    await createRun(path, { data: '/data', recipe });
    await writeFile(
      join(path, 'config.json'),
      JSON.stringify({ version: 3, data: '', recipe: writeRecipe({ ...recipe, seed: -1 }) }),
    );
    await expect(openRun(path)).rejects.toThrow("config.json is not a run's configuration: seed is -1");
    await writeFile(join(path, 'config.json'), '{');
    await expect(openRun(path)).rejects.toThrow("is not a run's configuration");
  });

  it('refuses an edited recipe and a run of an older version, but not a data set that moved', async () => {
    const path = join(folder, 'edited');
    const { config } = await createRun(path, { data: '/data', recipe });
    const file = runFiles(path).config;
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"/data"', '"/elsewhere"'));
    expect((await openRun(path)).config).toEqual({ ...config, data: '/elsewhere' });
    await writeFile(file, text.replace('"seed": 7', '"seed": 8'));
    await expect(openRun(path)).rejects.toThrow(
      'its recipe was changed since the run began: restore it, or train the changed one as a new run by --config and --out',
    );
    await writeFile(file, text.replace('"version": 3', '"version": 2'));
    await expect(openRun(path)).rejects.toThrow(
      'its version is 2, whose files have no checksums: train the run anew',
    );
  });

  it('finds the newest finished and unfinished run, and a free name', async () => {
    const parent = join(folder, 'runs');
    await expect(newestRun(parent)).rejects.toThrow('there is no finished run');
    for (const name of ['small-1', 'small-2']) await createRun(join(parent, name), { data: '/data', recipe });
    await writeFile(runFiles(join(parent, 'small-1')).results, '{}');
    expect((await newestRun(parent)).path).toBe(join(parent, 'small-1'));
    expect((await newestUnfinishedRun(parent)).path).toBe(join(parent, 'small-2'));
  });

  it('gives each of many new runs a folder of its own', async () => {
    const parent = join(folder, 'new');
    const paths = await Promise.all(Array.from({ length: 8 }, () => makeRunPath('small', parent)));
    const expected = Array.from({ length: 8 }, (_, i) => join(parent, `small-${i + 1}`));
    expect(paths.toSorted()).toEqual(expected);
  });

  it('is cleared of temporary files, but not of one that eval writes', async () => {
    const path = join(folder, 'cleared');
    await mkdir(join(path, 'embeddings', 'net'), { recursive: true });
    const stale = ['last.safetensors.7.tmp', 'embeddings/net/a.embeddings.7.tmp'];
    for (const name of [...stale, 'submission-test.tsv.7.tmp']) await writeFile(join(path, name), '');
    await removeTemporaries(path);
    expect((await readdir(path, { recursive: true })).toSorted()).toEqual([
      'embeddings',
      'embeddings/net',
      'submission-test.tsv.7.tmp',
    ]);
  });
});

describe('line log', () => {
  const whole = '{"step":1}\n';

  it('is cut back to where a checkpoint was', async () => {
    const path = join(folder, 'log.jsonl');
    const first = new LineLog(path, { bytes: 0, sum: 0 });
    first.append({ step: 1 });
    const kept = { bytes: first.bytes, sum: first.sum };
    first.append({ step: 2 });
    first.close();
    const second = new LineLog(path, kept);
    second.append({ step: 3 });
    second.close();
    expect(await readFile(path, 'utf8')).toBe(`${whole}{"step":3}\n`);
  });

  it('is cut back to its last whole line where no checkpoint knows it', async () => {
    const path = join(folder, 'timings.jsonl');
    await writeFile(path, `${whole}{"st`);
    const log = new LineLog(path);
    log.append({ step: 2 });
    log.close();
    expect(await readFile(path, 'utf8')).toBe(`${whole}{"step":2}\n`);
  });

  it('refuses a file that is shorter or another one than the checkpoint says', async () => {
    const path = join(folder, 'changed.jsonl');
    const first = new LineLog(path, { bytes: 0, sum: 0 });
    first.append({ step: 1 });
    const { bytes, sum } = first;
    first.close();
    expect(() => new LineLog(path, { bytes: bytes + 1, sum })).toThrow('changed.jsonl was changed since');
    await writeFile(path, whole.replace('1', '2'));
    expect(() => new LineLog(path, { bytes, sum })).toThrow('restore it from a copy, or start the run anew');
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

describe('files of tensors', () => {
  const position = {
    stage: 'video',
    epoch: 2,
    step: 3,
    totalSteps: 40,
    lossSum: 1 / 3,
    recordBytes: 99,
    recordSum: 5,
  } as const;
  const model = new Map([['head.bias', { shape: [2], data: Float32Array.of(1, 2) }]]);
  const optimizer = new Map([['0.step', { shape: [], data: Int32Array.of(7) }]]);
  const lossScale = { scale: 2 ** 15, goodSteps: 12, skipped: 1 };

  it('a checkpoint comes back as it was written', async () => {
    const run = await createRun(join(folder, 'checkpointed'), { data: '/data', recipe });
    expect(await readCheckpoint(run)).toBeUndefined();
    for (const scale of [null, lossScale]) {
      const checkpoint = { position, model, optimizer, lossScale: scale };
      await writeCheckpoint(run, checkpoint);
      expect(await readCheckpoint(run)).toEqual(checkpoint);
    }
  });

  it('a checkpoint of another recipe is refused', async () => {
    const run = await createRun(join(folder, 'one'), { data: '/data', recipe });
    const other = await createRun(join(folder, 'two'), { data: '/data', recipe: { ...recipe, seed: 8 } });
    await writeCheckpoint(run, { position, model, optimizer, lossScale });
    await copyFile(runFiles(run.path).checkpoint, runFiles(other.path).checkpoint);
    await expect(readCheckpoint(other)).rejects.toThrow(
      /two\/last\.safetensors is of another run, .*: restore it from a copy, or start the run anew with --out$/,
    );
  });

  it('damaged given weights are refused by the stage that begins with them', async () => {
    const weights = { fcnn: { file: '/weights', sha256: '0'.repeat(64) }, densenet: null };
    const given = makeRecipe(preset('small'), weights, 40);
    const stage = findStage(given, 'audio');
    const scene = createModel(given, stage);
    const extractor = [...(await scene.net.stateDict())].flatMap(([name, tensor]) =>
      name.startsWith('audio.') ? [[name.slice('audio.'.length), tensor] as const] : [],
    );
    const states = new Map([['fcnn', new Map(extractor)]]);
    const run = await createRun(join(folder, 'given'), { data: '/data', recipe: given }, states);
    await loadInitialWeights(run, stage, scene);
    const path = runFiles(run.path).given('fcnn');
    const file = await readFile(path);
    file.writeUInt8(file.readUInt8(file.length - 9) ^ 1, file.length - 9);
    await writeFile(path, file);
    await expect(loadInitialWeights(run, stage, scene)).rejects.toThrow('given-fcnn.safetensors is damaged');
  });

  it('every flipped bit, every cut and every byte too many is found', async () => {
    const path = join(folder, 'x.safetensors');
    const label = { recipe: 'r', content: 'stage audio' };
    await writeTensors(path, label, { tensors: model, metadata: new Map([['position', '1']]) });
    const file = await readFile(path);
    const damaged =
      /x\.safetensors is damaged or was not written by this run \(its checksum is (wrong|missing)\)/;
    for (let bit = 0; bit < 8 * file.length; bit++) {
      const copy = Uint8Array.from(file);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await writeFile(path, copy);
      await expect(readTensors(path, label), `bit ${bit}`).rejects.toThrow(damaged);
    }
    for (const other of [file.subarray(0, 40), file.subarray(0, 0), Buffer.concat([file, file])]) {
      await writeFile(path, other);
      await expect(readTensors(path, label)).rejects.toThrow(damaged);
    }
    await writeFile(path, file);
    expect((await readTensors(path, label)).tensors).toEqual(model);
    await expect(readTensors(path, { ...label, content: 'stage video' })).rejects.toThrow(
      'x.safetensors holds stage audio instead of stage video: restore it',
    );
    // As `export` writes it.
    await writeFile(path, writeSafetensors(model));
    await expect(readTensors(path, label)).rejects.toThrow(damaged);
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
    const lines = submissionTable({ samples, scenes: SCENES, probabilities }).split('\n');
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
