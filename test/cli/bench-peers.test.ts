import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { disagreement, distance, readResults, toleranceOf } from '../../bench/peers/compare.ts';
import { workOf } from '../../bench/peers/shapes.ts';
import { flopsOf } from '../../bench/peers/work.ts';
import { startWorker } from '../../bench/peers/worker.ts';
import { wavelight } from './wavelight.ts';
import { FULL } from '../support/scale.ts';

interface Report {
  readonly peers: { name: string; version?: string; missing?: string; problem?: string }[];
  readonly works: {
    name: string;
    results: {
      name: string;
      problem?: string;
      milliseconds: number;
      speedup: number;
      distance: { output: number; gradient: number; loss: number } | null;
    }[];
  }[];
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-peers-test-'));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Runs the command with one tiny round. */
async function bench(only: string, python: string): Promise<{ report: Report; table: string }> {
  vi.stubEnv('PYTHON', python);
  const file = join(folder, `${only}.json`);
  const sizes = ['--shapes', 'tiny', '--batch', '2', '--repeats', '1', '--device', 'software'];
  const { code, stdout, stderr } = await wavelight(
    ['bench', 'peers', '--only', only, ...sizes, '--json', file],
    folder,
  );
  expect(code, stderr).toBe(0);
  return { report: JSON.parse(await readFile(file, 'utf8')) as Report, table: stdout };
}

/** Every result of a peer is there and agrees with wavelight. */
function expectAgreement({ works }: Report, name: string): void {
  const all = works.flatMap(({ results }) => results.filter((result) => result.name === name));
  expect(all.filter(({ problem }) => problem !== undefined)).toEqual([]);
  const distances = all.flatMap(({ distance: found }) => found ?? []);
  const worst = (key: 'output' | 'gradient' | 'loss'): number => Math.max(...distances.map((d) => d[key]));
  console.log(
    `${name} from wavelight: output ${worst('output').toExponential(1)}, ` +
      `gradients ${worst('gradient').toExponential(1)}, losses ${worst('loss').toExponential(1)}`,
  );
  expect(distances).toHaveLength(all.length);
  for (const { milliseconds, speedup } of all) expect(Math.min(milliseconds, speedup)).toBeGreaterThan(0);
}

describe('bench peers', () => {
  it('says how to install what is missing, and measures wavelight all the same', async () => {
    const { report, table } = await bench('pytorch', join(folder, 'no-python'));
    expect(report.peers[1]?.missing).toContain('pip install torch numpy, or name another Python in PYTHON');
    expect(report.works.map(({ results }) => results.map(({ name }) => name))).toEqual(
      Array.from({ length: 12 }, () => ['wavelight']),
    );
    expect(table).toContain('Training step, dense block of 2');
  });

  const python = '/usr/bin/python3';
  const hasTorch = (): boolean => spawnSync(python, ['-c', 'import numpy, torch']).status === 0;
  const lacks = !FULL ? 'npm run test:all runs it' : hasTorch() ? null : `${python} has none`;
  it.skipIf(lacks !== null)(`agrees with PyTorch${lacks ? ` (skipped: ${lacks})` : ''}`, async () => {
    const { report } = await bench('pytorch', python);
    expect(report.peers.map(({ name }) => name)).toEqual(['wavelight', 'pytorch', 'pytorch channels_last']);
    for (const name of ['pytorch', 'pytorch channels_last']) expectAgreement(report, name);
  });

  const installed = existsSync(join(import.meta.dirname, '../../bench/peers/node_modules'));
  const why = installed ? '' : ' (skipped: needs npm ci --prefix bench/peers)';
  it.skipIf(!installed)(`agrees with the peers from npm${why}`, async () => {
    const names = ['tfjs', 'jax-js', 'onnxruntime'];
    const { report } = await bench(names.join(), python);
    for (const name of names) expectAgreement(report, name);
  });

  it.each([
    [['--only', 'torch'], 'It must be some of tfjs,jax-js,onnxruntime,pytorch'],
    [
      ['--shapes', 'layer,large'],
      'It must be some of layer,densenet161,gradients,fcnn,matmul,matmul4096,nets,tiny',
    ],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await wavelight(['bench', 'peers', ...args], folder);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

describe('what is measured', () => {
  it('is each distinct convolution of DenseNet161 once', () => {
    const works = workOf('densenet161', 1);
    // Of 160 convolutions, 78 of the 1x1 in blocks differ, beside 4 of 3x3, 3 transitions and the stem.
    expect(works).toHaveLength(86);
    expect(new Set(works.map(({ name }) => name)).size).toBe(86);
    const last = works.at(-1);
    expect([last?.name, last?.output]).toEqual(['conv 1x1 1x2160x7x7 to 192', [1, 192, 7, 7]]);
    expect(flopsOf(works[0] ?? never())).toBe(2 * 112 * 112 * 96 * 3 * 49);
    // Gradients take as many operations as the convolution.
    const [data, weight] = workOf('gradients', 1);
    for (const work of [data, weight]) expect(flopsOf(work ?? never())).toBe(flopsOf(works[0] ?? never()));
    expect([data?.output, weight?.output]).toEqual([
      [1, 3, 224, 224],
      [96, 3, 7, 7],
    ]);
  });
});

describe('a peer whose results are not trusted', () => {
  const [dense = never()] = workOf('tiny', 1);
  const conv = workOf('tiny', 1).find(({ kind }) => kind === 'conv') ?? never();
  const reference = { losses: [2], tensors: [Float32Array.of(3, 4), Float32Array.of(1, 1)] };

  it.each([
    [[3, 4], [1, 1], 2, null],
    [[3, 4.5], [1, 1], 2, 'its output is off by 1.0e-1'],
    [[3, NaN], [1, 1], 2, 'its output is off by NaN'],
    [[3, 4], [1, 0], 2, 'gradient of layer0.norm1.weight is off by 7.1e-1'],
    [[3, 4], [1, NaN], NaN, 'gradient of layer0.norm1.weight is off by NaN, its loss is off by NaN'],
  ])('output %j, gradient %j, loss %j', (output, gradient, loss, expected) => {
    const results = { losses: [loss], tensors: [Float32Array.from(output), Float32Array.from(gradient)] };
    expect(disagreement(distance(dense, results, reference), toleranceOf('dense', 'f32'))).toBe(expected);
  });

  it('is refused with too few numbers', async () => {
    const file = join(folder, 'short.f32');
    await writeFile(file, new Float32Array(7));
    await expect(readResults(conv, file, [])).rejects.toThrow(/it wrote 7 numbers instead of \d+/);
  });

  it('gives its last words when its process ends', async () => {
    const script = 'console.error("no such device"); process.exit(3)';
    const worker = startWorker([process.execPath, '-e', script]);
    await expect(worker.ask({ do: 'describe' })).rejects.toThrow('its process ended with 3: no such device');
    expect(worker.alive).toBe(false);
    await worker.close();
  });
});

function never(): never {
  throw new Error('there is no such work');
}
