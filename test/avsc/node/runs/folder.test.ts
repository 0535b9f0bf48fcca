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
import { PRESETS } from '../../../../src/avsc/presets.ts';
import { pictureInput } from '../../../../src/avsc/training/model.ts';
import { checkRecipe, frozenIn, makeRecipe } from '../../../../src/avsc/training/recipe.ts';
import { STAGES } from '../../../../src/avsc/training/records.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-run-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('recipe', () => {
  it('goes over the preset with what the command says', () => {
    const recipe = makeRecipe(
      { preset: 'paper', epochs: 3, lr: 1e-4, unimodalLr: 1e-2, freeze: 'audio' },
      8646,
    );
    expect(recipe).toMatchObject({ seed: 1, batchSize: 32, freeze: 'audio', validation: 0.1 });
    expect(recipe.phases.joint).toMatchObject({
      epochs: 3,
      optimizer: { learningRate: 1e-4, weightDecay: 1e-5 },
    });
    expect(recipe.phases.audio).toMatchObject({ epochs: 3, optimizer: { learningRate: 1e-2 } });
    expect(makeRecipe({ preset: 'paper' }, 8646).phases.joint.optimizer.learningRate).toBe(1e-5);
  });

  it('holds nothing out of a small set', () => {
    expect(makeRecipe({ preset: 'small' }, 40).validation).toBe(0);
  });
});

describe('recipe with published extractors', () => {
  const weights = { file: '/w.safetensors', sha256: 'ab'.repeat(32) };
  const choose = (given: typeof weights | null) =>
    ({ audio: null, video: { architecture: 'resnet18', weights: given } }) as const;

  it('freezes given weights in the small preset and trains a probe of them, with many cheap steps', () => {
    const recipe = makeRecipe({ preset: 'small', extractors: choose(weights) }, 6);
    expect(recipe.freeze).toBe('video');
    expect(STAGES.map((stage) => frozenIn(stage, recipe))).toEqual([[], ['video'], ['video']]);
    expect(recipe.phases.video.epochs).toBeGreaterThan(PRESETS.small.phases.video.epochs);
    expect(recipe.phases.audio).toEqual(PRESETS.small.phases.audio);
    const lively = makeRecipe({ preset: 'small', extractors: choose(weights), freeze: 'none' }, 6);
    expect(STAGES.flatMap((stage) => frozenIn(stage, lively))).toEqual([]);
    expect(lively.phases.video.optimizer.learningRate).toBe(1e-4);
  });

  it('trains random weights first, whatever is frozen', () => {
    const usual = makeRecipe({ preset: 'small', extractors: choose(null) }, 6);
    expect(usual.freeze).toBe('none');
    expect(usual.phases).toEqual(makeRecipe({ preset: 'small' }, 6).phases);
    const later = makeRecipe({ preset: 'small', freeze: 'both', extractors: choose(null) }, 6);
    expect(STAGES.map((stage) => frozenIn(stage, later))).toEqual([[], [], ['audio', 'video']]);
  });

  it("leaves the paper's recipe as it is", () => {
    const paper = makeRecipe({ preset: 'paper', extractors: choose(weights) }, 8646);
    expect(paper.freeze).toBe('none');
    expect(paper.phases).toEqual(PRESETS.paper.phases);
  });

  it('comes back from config.json; older ones have none, foreign ones are refused', () => {
    const recipe = makeRecipe({ preset: 'small', extractors: choose(weights) }, 6);
    expect(checkRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
    const { extractors, ...older } = recipe;
    expect(checkRecipe(older).extractors).toEqual({ audio: null, video: null });
    const withVideo = (video: unknown) => ({ ...recipe, extractors: { ...extractors, video } });
    expect(() => checkRecipe(withVideo({ architecture: 'vgg', weights: null }))).toThrow(
      'extractors.video.architecture is "vgg"',
    );
    expect(() => checkRecipe(withVideo({ architecture: 'resnet18', weights: { file: 'x' } }))).toThrow(
      "extractors.video.weights is not a file's path with its SHA-256",
    );
  });

  it('decides what pictures are normalised by', () => {
    const squeezenet = pictureInput('small', { audio: null, video: 'squeezenet1_1' });
    expect(squeezenet).toMatchObject({ size: 224, mean: [0, 0, 0], std: [1, 1, 1] });
    expect(pictureInput('small').size).toBe(PRESETS.small.imageSize);
    expect(pictureInput('paper')).toEqual(pictureInput('paper', { audio: null, video: 'densenet161' }));
    expect(() => pictureInput('small', { audio: null, video: 'fcnn' })).toThrow(
      'fcnn is a net for sounds: it cannot be the video extractor',
    );
  });
});

describe('run folder', () => {
  const recipe = makeRecipe({ preset: 'small', seed: 7 }, 40);

  it('gives back what it was made with and refuses a second run', async () => {
    const path = join(folder, 'a');
    await createRun(path, { data: '/data', recipe });
    expect((await openRun(path)).config).toEqual({ version: 1, data: '/data', recipe });
    await expect(createRun(path, { data: '/data', recipe })).rejects.toThrow('already holds a run');
  });

  it('names what is wrong with a configuration', async () => {
    await expect(openRun(join(folder, 'none'))).rejects.toThrow("is not a run's folder");
    const path = join(folder, 'b');
    await createRun(path, { data: '/data', recipe });
    await writeFile(
      join(path, 'config.json'),
      JSON.stringify({ version: 1, data: '', recipe: { ...recipe, seed: -1 } }),
    );
    await expect(openRun(path)).rejects.toThrow("config.json is not a run's configuration: seed is -1");
    await writeFile(join(path, 'config.json'), '{');
    await expect(openRun(path)).rejects.toThrow("is not a run's configuration");
  });

  it('finds the newest finished and unfinished run, and a free name', async () => {
    const parent = join(folder, 'runs');
    await expect(newestRun(parent)).rejects.toThrow('there is no finished run');
    for (const name of ['small-1', 'small-2']) await createRun(join(parent, name), { data: '/data', recipe });
    await writeFile(runFiles(join(parent, 'small-1')).weights('joint'), '');
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
      { clip: a, second: 0 },
      { clip: a, second: 1 },
      { clip: b, second: 0 },
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
