import { cpSync, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import type { Metrics } from '../../src/avsc/training/metrics.ts';
import type { RunResults } from '../../src/avsc/training/records.ts';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { manualSeed } from '../../src/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { FULL } from '../support/scale.ts';
import { start, wavelight, type Finished } from './wavelight.ts';

const DEVICE = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';
const SHARED = new URL('../../../shared/', import.meta.url).pathname;
const PLACES = join(SHARED, 'checkpoints', 'squeezenet11bn_places365_urbste.safetensors');
const TAU = join(SHARED, 'data', 'tau-mini');
const SETUP = 'evaluation_setup';
const OUTPUTS = [
  'metrics.jsonl',
  'metrics.json',
  'audio.safetensors',
  'video.safetensors',
  'model.safetensors',
];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-weights-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytes = (run: string, file: string): Promise<Buffer> => readFile(join(folder, run, file));
const tensors = async (run: string, file: string) =>
  readSafetensors(new Uint8Array(await bytes(run, file))).tensors;

/** A data set's folder with the first rows of another's splits. */
async function takePart(from: string, to: string, rows: Readonly<Record<string, number[]>>): Promise<void> {
  await mkdir(join(to, SETUP), { recursive: true });
  for (const name of ['audio', 'video']) await symlink(join(from, name), join(to, name));
  for (const [split, wanted] of Object.entries(rows)) {
    const file = `fold1_${split}.csv`;
    const [header = '', ...lines] = (await readFile(join(from, SETUP, file), 'utf8')).trim().split('\n');
    const taken = wanted.map((row) => lines[row] ?? '');
    await writeFile(join(to, SETUP, file), `${[header, ...taken].join('\n')}\n`);
  }
}

describe('train with given weights', () => {
  const args = (weights: string, ...more: string[]): string[] => [
    ...[
      'train',
      '--data',
      'data',
      '--preset',
      'small',
      '--video',
      'squeezenet1_1',
      '--video-weights',
      weights,
    ],
    ...['--epochs', '2', '--batch', '2', '--save-every', '1', '--device', DEVICE, ...more],
  ];
  const train = (...more: string[]): Promise<Finished> =>
    wavelight(args('given.safetensors', '--cache', 'cache', ...more), folder);

  /** Weights as training may have left them: no statistic is that of a new net. */
  async function writeWeights(path: string): Promise<void> {
    manualSeed(5);
    const net = findArchitecture('squeezenet1_1').createExtractor();
    const state = await net.stateDict();
    for (const [name, { data }] of state) if (name.endsWith('running_mean')) data.fill(0.01);
    await writeFile(path, writeSafetensors(state));
  }

  beforeAll(async () => {
    await makeDataset(join(folder, 'made'), { train: 1, evaluate: 1, seconds: 1 });
    await takePart(join(folder, 'made'), join(folder, 'data'), { train: [0, 3, 5, 8], evaluate: [0, 3] });
    await writeWeights(join(folder, 'given.safetensors'));
    const { code, stderr } = await train('--out', 'whole');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('squeezenet1_1: 151 tensors loaded');
    expect(stderr).toContain('embedding video: 4/4 samples');
    expect(stderr).toContain('video: 733,514 parameters, 5,130 of them trained, 4 steps');
  });

  it('keeps them frozen in the small preset, from the first stage to the last', async () => {
    const { recipe } = JSON.parse((await bytes('whole', 'config.json')).toString()) as {
      recipe: {
        experiment: { stages: { freeze: string[] }[] };
        weights: { densenet: { file: string; sha256: string } };
      };
    };
    expect(recipe.experiment.stages.map(({ freeze }) => freeze)).toEqual([[], ['video'], ['video']]);
    expect(recipe.weights.densenet.file).toBe(join(folder, 'given.safetensors'));
    expect(recipe.weights.densenet.sha256).toMatch(/^[0-9a-f]{64}$/);
    const given = readSafetensors(new Uint8Array(await bytes('.', 'given.safetensors'))).tensors;
    for (const file of ['video.safetensors', 'model.safetensors']) {
      const trained = await tensors('whole', file);
      const changed = [...given].filter(([name, { data }]) => {
        const other = trained.get(`video.${name}`)?.data ?? [];
        return data.length !== other.length || data.some((value, i) => value !== other[i]);
      });
      expect(changed.map(([name]) => name)).toEqual([]);
      const statistics = trained.get('video_norm.running_mean')?.data;
      expect(
        statistics?.some((value) => value !== 0),
        'embeddings are standardised',
      ).toBe(true);
    }
  });

  it('gives the same bits from kept embeddings, and without the file after a kill', async () => {
    await copyFile(join(folder, 'given.safetensors'), join(folder, 'moved.safetensors'));
    const cold = args('moved.safetensors', '--cache', 'cold', '--out', 'killed');
    cpSync(join(folder, 'cache'), join(folder, 'cold'), {
      recursive: true,
      filter: (path) => !path.includes('embeddings'),
    });
    // Killed twice: while it embeds, and while it trains the joint model.
    const kept = async (): Promise<number> =>
      (await readdir(join(folder, 'cold', 'embeddings'), { recursive: true }).catch(() => [])).filter(
        (path) => path.endsWith('.embeddings'),
      ).length;
    await killWhen(cold, async () => (await kept()) >= 2);
    const atFirst = await kept();
    expect(atFirst).toBeLessThan(6);
    await rm(join(folder, 'moved.safetensors'));
    const resume = ['train', '--resume', '--out', 'killed', '--cache', 'cold', '--device', DEVICE];
    await killWhen([...resume, '--save-every', '1'], async () =>
      (await bytes('killed', 'metrics.jsonl')).includes('"stage":"joint"'),
    );
    expect(existsSync(join(folder, 'killed', 'metrics.json'))).toBe(false);
    const { code, stderr } = await wavelight(resume, folder);
    expect(code, stderr).toBe(0);
    for (const file of OUTPUTS) {
      expect((await bytes('killed', file)).equals(await bytes('whole', file)), file).toBe(true);
    }
    const warm = await train('--out', 'warm');
    expect(warm.stderr).not.toContain('embedding');
    for (const file of OUTPUTS) {
      expect((await bytes('warm', file)).equals(await bytes('whole', file)), file).toBe(true);
    }
  });

  it('evaluates by embeddings as the training did, and predicts from pictures', async () => {
    const args = ['eval', 'whole', '--cache', 'cache', '--device', DEVICE, '--json'];
    const { code, stdout, stderr } = await wavelight(args, folder);
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain('embedding');
    const results = JSON.parse((await bytes('whole', 'metrics.json')).toString()) as RunResults;
    expect((JSON.parse(stdout) as { metrics: unknown }).metrics).toEqual(results.joint);
    const row = (await bytes('data', join(SETUP, 'fold1_evaluate.csv')))
      .toString()
      .split('\n')[1]
      ?.split('\t');
    const video = join('data', row?.[1] ?? '');
    const predicted = await wavelight(['predict', 'whole', video, '--device', DEVICE], folder);
    expect(predicted.code, predicted.stderr).toBe(0);
    const { model, probability } = JSON.parse(predicted.stdout) as { model: string; probability: number };
    expect(model).toBe('video');
    expect(probability).toBeGreaterThan(0.1);
  });

  it('says in one sentence what cannot be', async () => {
    await writeFile(join(folder, 'text.pth'), 'not weights at all');
    const cases: [args: string[], code: number, message: string | RegExp][] = [
      [['--video', 'resnet34'], 2, 'Allowed choices are densenet161, resnet18'],
      [['--video', 'fcnn'], 2, 'Allowed choices are densenet161, resnet18'],
      [['--audio', 'squeezenet1_1'], 2, 'Allowed choices are fcnn, fcnn_small'],
      [['--video-weights', 'given.safetensors'], 2, '--video-weights needs --video'],
      [['--video', 'resnet18', '--video-weights', 'none.pth'], 1, 'none.pth'],
      [['--video', 'resnet18', '--video-weights', 'text.pth'], 1, 'text.pth'],
      [
        ['--video', 'resnet18', '--video-weights', 'given.safetensors'],
        1,
        /given.safetensors: .*missing conv1/,
      ],
      [['--out', 'whole', '--resume', '--video', 'resnet18'], 2, 'was started with --video squeezenet1_1'],
      [
        ['--out', 'whole', '--resume', '--video-weights', 'text.pth'],
        2,
        'was started with other --video-weights',
      ],
    ];
    const said = await Promise.all(
      cases.map(([options]) =>
        wavelight(['train', '--data', 'data', '--cache', 'cache', ...options], folder),
      ),
    );
    cases.forEach(([options, code, message], i) => {
      expect(said[i]?.stderr, options.join(' ')).toMatch(message);
      expect(said[i]?.code, options.join(' ')).toBe(code);
      expect(said[i]?.stderr.trim().split('\n').length, said[i]?.stderr).toBe(1);
    });
    expect(await stat(join(folder, 'runs')).catch(() => null)).toBeNull();
  });

  async function killWhen(command: readonly string[], due: () => Promise<boolean>): Promise<void> {
    const { child, finished } = start(command, folder);
    const ended = finished.then(() => true);
    const pause = (): Promise<boolean> => new Promise((resolve) => setTimeout(() => resolve(false), 5));
    while (!(await due().catch(() => false)) && !(await Promise.race([ended, pause()])));
    child.kill('SIGKILL');
    await finished;
  }
});

const skipped = !FULL
  ? 'npm run test:all runs it'
  : existsSync(PLACES) && existsSync(TAU)
    ? null
    : 'no ../shared';
describe.skipIf(skipped !== null)(
  `Places365 on real recordings${skipped ? ` (skipped: ${skipped})` : ''}`,
  () => {
    it('tells a park from a street that it has not seen, after one of each', async () => {
      await takePart(TAU, join(folder, 'tau'), { train: [1, 5], evaluate: [1, 4] });
      const { code, stdout, stderr } = await wavelight(
        [
          ...['train', '--data', 'tau', '--preset', 'small', '--video', 'squeezenet1_1'],
          ...['--video-weights', PLACES, '--device', DEVICE, '--epochs', '8', '--batch', '5'],
          ...['--json', '--cache', 'cache-tau', '--out', 'tau-run'],
        ],
        folder,
      );
      expect(code, stderr).toBe(0);
      const { results } = JSON.parse(stdout) as { results: RunResults };
      const { video, joint } = results;
      if (video === undefined || joint === undefined) throw new Error('no results');
      const part = ({ accuracy }: Metrics): string => `${(100 * accuracy.overall).toFixed(0)} %`;
      console.log(`20 seconds of two places not trained on: video ${part(video)}, joint ${part(joint)}`);
      expect(video.accuracy.overall).toBeGreaterThanOrEqual(0.85);
      expect(joint.accuracy.overall).toBeGreaterThanOrEqual(0.85);
    });
  },
);
