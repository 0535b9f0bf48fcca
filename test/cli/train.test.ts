import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import { SCENES } from '../../src/avsc/dataset/scenes.ts';
import { writeExperiment } from '../../src/avsc/experiment/write.ts';
import { readDefinition } from '../../src/avsc/training/definition.ts';
import type { RunResults, StepRecord } from '../../src/avsc/training/records.ts';
import { readSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { start, wavelight, type Finished } from './wavelight.ts';
import { FULL } from '../support/scale.ts';

const DEVICE = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-train-'));
  await makeDataset(join(folder, 'data'), { train: 2, evaluate: 1, seconds: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ARGS = [
  '--data',
  'data',
  '--cache',
  'cache',
  '--epochs',
  '2',
  '--batch',
  '4',
  '--save-every',
  '2',
  '--device',
  DEVICE,
];

const train = (...args: string[]): Promise<Finished> => wavelight(['train', ...ARGS, ...args], folder);
const bytes = (run: string, file: string): Promise<Buffer> => readFile(join(folder, run, file));

/** Starts a training, sends the signal once it has written metrics.jsonl up to so many lines, and waits for its end. */
async function trainUntil(
  run: string,
  lines: number,
  signal: 'SIGKILL' | 'SIGINT',
  ...more: string[]
): Promise<Finished> {
  const file = join(folder, run, 'metrics.jsonl');
  const changed = (): Promise<number> =>
    stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
  const before = await changed();
  const { child, finished } = start(['train', ...ARGS, '--out', run, ...more], folder);
  const ended = finished.then(() => true);
  const pause = (): Promise<boolean> => new Promise((resolve) => setTimeout(() => resolve(false), 5));
  do {
    const text = await readFile(file, 'utf8').catch(() => '');
    // A resumed run has lines before it has begun.
    if (text.split('\n').length > lines && (await changed()) !== before) break;
  } while (!(await Promise.race([ended, pause()])));
  child.kill(signal);
  return finished;
}

describe('train', () => {
  beforeAll(async () => {
    const { code, stderr } = await train('--out', 'whole');
    expect(code, stderr).toBe(0);
  });

  it('fills the run folder', async () => {
    const results = JSON.parse((await bytes('whole', 'metrics.json')).toString()) as RunResults;
    for (const stage of ['audio', 'video', 'joint'] as const) {
      expect(results[stage]?.count).toBe(10);
      expect(results[stage]?.confusion).toHaveLength(SCENES.length);
    }
    const lines = (await bytes('whole', 'metrics.jsonl')).toString().trimEnd().split('\n');
    // 20 samples: 5 steps and 1 epoch line, twice, in three stages.
    expect(lines).toHaveLength(3 * 2 * (5 + 1));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ kind: 'step', stage: 'audio', epoch: 1, step: 1 });
    expect((await bytes('whole', 'report.html')).toString()).toContain('<html');
    for (const name of [
      'config.json',
      'audio.safetensors',
      'video.safetensors',
      'last.safetensors',
      'timings.jsonl',
    ]) {
      expect((await stat(join(folder, 'whole', name))).size).toBeGreaterThan(0);
    }
  });

  it("says in the result's file which nets it is of", async () => {
    const { metadata } = readSafetensors(new Uint8Array(await bytes('whole', 'model.safetensors')));
    const definition = readDefinition(metadata);
    expect(definition?.prefixes).toEqual({ joint: '' });
    const { recipe } = JSON.parse((await bytes('whole', 'config.json')).toString()) as {
      recipe: { experiment: { stages: object[]; imageSize: number } };
    };
    expect(definition && writeExperiment(definition.experiment)).toMatchObject({
      stages: recipe.experiment.stages,
      imageSize: recipe.experiment.imageSize,
    });
  });

  it('goes on to the same bits, killed or interrupted in every stage', async () => {
    const run = 'stopped';
    const unfinished = () => expect(stat(join(folder, run, 'metrics.json'))).rejects.toThrow('ENOENT');
    // In the first epoch of the audio stage, and in its second.
    if (FULL) {
      await trainUntil(run, 4, 'SIGKILL');
      await unfinished();
    }
    const { code, stderr } = await trainUntil(run, 9, 'SIGINT', ...(FULL ? ['--resume'] : []));
    expect(code, stderr).toBe(130);
    expect(stderr).toContain(`stopped and saved: go on with wavelight train --resume --out ${run}`);
    // In the second epoch of the video stage (npm run test:all), and in the first of the joint stage.
    for (const lines of FULL ? [21, 28] : [28]) {
      await trainUntil(run, lines, 'SIGKILL', '--resume');
      await unfinished();
    }
    const last = await train('--out', run, '--resume');
    expect(last.code, last.stderr).toBe(0);
    for (const file of [
      'metrics.jsonl',
      'metrics.json',
      'audio.safetensors',
      'video.safetensors',
      'model.safetensors',
    ]) {
      expect((await bytes(run, file)).equals(await bytes('whole', file)), file).toBe(true);
    }
  });

  it('goes on to the same bits with every augmentation on, and with a loss scale in f16', async () => {
    const augment = {
      extraClips: FULL ? { pitch: 1, noise: 1 } : { noise: 1 },
      specAugment: 0.1,
      channelConfusion: 0.5,
      pictures: { operations: ['Sharpness', 'Contrast', 'Identity'], count: 2, magnitude: 9 },
      mixup: { share: 0.5, alpha: 0.4 },
    };
    // The joint stage alone, from random weights.
    const experiment = {
      extends: 'small',
      name: 'augmented',
      precision: 'f16',
      stages: { audio: null, video: null, joint: { augment } },
    };
    await writeFile(join(folder, 'augmented.json'), JSON.stringify(experiment));
    const epochs = FULL ? 2 : 1;
    const length = ['--epochs', String(epochs)];
    const config = ['--config', 'augmented.json', ...length];
    const straight = await train('--out', 'augmented', ...config);
    expect(straight.code, straight.stderr).toBe(0);
    // 20 samples and as many extra ones of each kind: 15 or 10 steps an epoch.
    const lines = (await bytes('augmented', 'metrics.jsonl')).toString().trimEnd().split('\n');
    expect(lines).toHaveLength(epochs * ((FULL ? 15 : 10) + 1));
    const refusals = straight.stderr.split('has no shader-f16: precision f16 is taken as f32').length - 1;
    const step = JSON.parse(lines[9] ?? '') as StepRecord;
    if (refusals === 0) {
      expect(step).toMatchObject({
        step: 10,
        lossScale: expect.any(Number) as number,
        skipped: expect.any(Number) as number,
      });
      expect(Math.log2(step.lossScale ?? 0)).toBe(16 - (step.skipped ?? 0));
      expect((await bytes('augmented', 'last.safetensors')).toString('latin1')).toContain('lossScale');
    } else {
      console.log('the adapter has no shader-f16: trained in f32, without a loss scale');
      expect([refusals, Object.hasOwn(step, 'lossScale')]).toEqual([1, false]);
    }
    await trainUntil('augmented-2', 5, 'SIGKILL', ...config);
    if (FULL) await trainUntil('augmented-2', 20, 'SIGINT', '--resume');
    const last = await train('--out', 'augmented-2', '--resume', ...length);
    expect(last.code, last.stderr).toBe(0);
    for (const file of ['metrics.jsonl', 'metrics.json', 'model.safetensors']) {
      expect((await bytes('augmented-2', file)).equals(await bytes('augmented', file)), file).toBe(true);
    }
  });

  it('refuses an experiment with a wrong field, or without its weights, and leaves nothing behind', async () => {
    const cases: readonly [object, string][] = [
      [
        { extends: 'small', batchSise: 4 },
        'wrong.json is not an experiment: the experiment has a field "batchSise"',
      ],
      [{ extends: 'nothing' }, 'there is no experiment'],
      [
        {
          extends: 'small',
          nets: { densenet: { architecture: 'resnet18', options: null, weights: 'places365' } },
        },
        'the places365 weights of resnet18 are not at weights/resnet18_places365.pth.tar: fetch them by wavelight fetch-weights resnet18_places365',
      ],
    ];
    for (const [experiment, message] of cases) {
      await writeFile(join(folder, 'wrong.json'), JSON.stringify(experiment));
      const { code, stderr } = await train('--out', 'wrong', '--config', 'wrong.json');
      expect(stderr).toContain(message);
      expect([code, stderr.trim().split('\n').length]).toEqual([1, 1]);
      await expect(stat(join(folder, 'wrong'))).rejects.toThrow('ENOENT');
    }
  });

  it('refuses to go over a run or to change one that is resumed', async () => {
    const again = await train('--out', 'whole');
    expect([again.code, again.stderr.trim()]).toEqual([
      1,
      expect.stringContaining('whole already holds a run'),
    ]);
    const other = await train('--out', 'whole', '--resume', '--seed', '5');
    expect([other.code, other.stderr.trim()]).toEqual([
      2,
      expect.stringContaining('was started with --seed 1'),
    ]);
  });

  it('keeps frozen extractors as their stage left them', async () => {
    const { code, stderr } = await train('--out', 'frozen', '--freeze', 'both', '--epochs', '1');
    expect(code, stderr).toBe(0);
    const read = async (file: string) => readSafetensors(new Uint8Array(await bytes('frozen', file))).tensors;
    const joint = await read('model.safetensors');
    const parts = new Map([...(await read('audio.safetensors')), ...(await read('video.safetensors'))]);
    const extractors = [...joint].filter(([name]) => !name.startsWith('fusion.'));
    expect(extractors.length).toBeGreaterThan(50);
    for (const [name, { data }] of extractors) expect(data, name).toEqual(parts.get(name)?.data);
  });
});

describe('eval and predict', () => {
  it('evaluates as the training did and writes a submission file', async () => {
    const args = ['eval', 'whole', '--cache', 'cache', '--device', DEVICE, '--json'];
    const { code, stdout, stderr } = await wavelight(args, folder);
    expect(code, stderr).toBe(0);
    const { metrics } = JSON.parse(stdout) as { metrics: unknown };
    const results = JSON.parse((await bytes('whole', 'metrics.json')).toString()) as RunResults;
    expect(metrics).toEqual(results.joint);
    const test = await wavelight([...args, '--split', 'test'], folder);
    expect((JSON.parse(test.stdout) as { metrics: unknown }).metrics).toBeNull();
    const rows = (await bytes('whole', 'submission-test.tsv')).toString().trimEnd().split('\n');
    expect(rows).toHaveLength(11);
    expect(rows.every((row) => row.split('\t').length === 12)).toBe(true);
  });

  it('predicts each second of a file, with the model that fits what is in it', async () => {
    const name =
      (await bytes('data', 'evaluation_setup/fold1_test.csv')).toString().split('\n')[1]?.split('\t') ?? [];
    const files = name.map((path) => join('data', path));
    const { code, stdout, stderr } = await wavelight(
      ['predict', 'whole', ...files, '--device', DEVICE],
      folder,
    );
    expect(code, stderr).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            model: string;
            second: number;
            scene: string;
            probabilities: Record<string, number>;
          },
      );
    expect(lines.map(({ model, second }) => [model, second])).toEqual([
      ['audio', 0],
      ['video', 0],
    ]);
    for (const { scene, probabilities } of lines) {
      expect(Object.keys(probabilities)).toEqual([...SCENES]);
      const sum = Object.values(probabilities).reduce((total, p) => total + p, 0);
      expect(sum).toBeCloseTo(1, 4);
      expect(probabilities[scene]).toBe(Math.max(...Object.values(probabilities)));
    }
  });
});
