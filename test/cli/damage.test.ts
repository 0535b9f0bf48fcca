import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import { withRunLock } from '../../src/avsc/node/runs/lock.ts';
import { filesIn } from '../support/made_files.ts';
import { start, wavelight, type Finished } from './wavelight.ts';

const DEVICE = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-damage-'));
  await makeDataset(join(folder, 'data'), { train: 1, evaluate: 1, seconds: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COMMON = ['--cache', 'cache', '--device', DEVICE];
const TRAIN = [
  'train',
  '--data',
  'data',
  '--epochs',
  '2',
  '--batch',
  '2',
  '--save-every',
  '1',
  '--freeze',
  'both',
];
/** Lines of records at which the joint stage has begun: 5 steps and 1 epoch line, twice, in two stages. */
const LINES = 24;

const resume = (run: string): Promise<Finished> =>
  wavelight(['train', ...COMMON, '--out', run, '--resume'], folder);

/** Flips a bit of a file; a negative position counts from its end. */
async function flip(file: string, at: number): Promise<void> {
  const path = join(folder, file);
  const bytes = await readFile(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(index) ^ 4, index);
  await writeFile(path, bytes);
}

describe('damage between a stop and the resume', () => {
  beforeAll(async () => {
    const whole = await wavelight([...TRAIN, ...COMMON, '--out', 'whole'], folder);
    expect(whole.code, whole.stderr).toBe(0);
    const { child, finished } = start([...TRAIN, ...COMMON, '--out', 'stopped'], folder);
    const records = (): Promise<string> =>
      readFile(join(folder, 'stopped', 'metrics.jsonl'), 'utf8').catch(() => '');
    while ((await records()).split('\n').length <= LINES + 2) await sleep(5);
    child.kill('SIGKILL');
    await finished;
  });

  it.each([
    ['last.safetensors', -100, 'last.safetensors is damaged or was not written by this run'],
    ['metrics.jsonl', 20, 'metrics.jsonl was changed since the checkpoint beside it was written'],
  ])('of %s is refused with the way out', async (file, at, message) => {
    const run = `refused-${file}`;
    await cp(join(folder, 'stopped'), join(folder, run), { recursive: true });
    await flip(join(run, file), at);
    const { code, stderr } = await resume(run);
    expect(stderr).toContain(message);
    expect(stderr).toContain(': restore it from a copy, or start the run anew with --out');
    expect(code).toBe(1);
  });

  it('of weights is refused by who reads them', async () => {
    await cp(join(folder, 'whole'), join(folder, 'weights'), { recursive: true });
    await flip('weights/model.safetensors', -100);
    await flip('weights/audio.safetensors', -100);
    const read = [
      ['eval', 'weights', ...COMMON],
      ['eval', 'weights', '--model', 'audio', ...COMMON],
      ['export', 'weights', '--format', 'safetensors'],
    ];
    for (const args of read) {
      const { code, stderr } = await wavelight(args, folder);
      expect(stderr).toMatch(/(model|audio)\.safetensors is damaged or was not written by this run/);
      expect(code).toBe(1);
    }
    // The video model is whole.
    const video = await wavelight(['eval', 'weights', '--model', 'video', ...COMMON], folder);
    expect(video.code, video.stderr).toBe(0);
  });

  it('that is an edited seed is refused', async () => {
    await cp(join(folder, 'stopped'), join(folder, 'edited'), { recursive: true });
    const config = join(folder, 'edited', 'config.json');
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replace('"seed": 1', '"seed": 2'));
    const { code, stderr } = await resume('edited');
    expect(stderr).toContain('its recipe was changed since the run began: restore it, or train');
    expect(code).toBe(1);
  });

  it('of embeddings and prepared clips is mended, in headers and bodies', async () => {
    await cp(join(folder, 'stopped'), join(folder, 'mended'), { recursive: true });
    const damaged = [
      ...(await filesIn(join(folder, 'mended', 'embeddings'))).map((name) =>
        join('mended', 'embeddings', name),
      ),
      ...(await readdir(join(folder, 'cache'))).map((name) => join('cache', name)),
    ];
    // The first bytes are in the header of each kind of file, the last ones in its body.
    for (const [i, file] of damaged.entries()) await flip(file, [1, 9, 17, -1, -50][i % 5] ?? 0);
    expect(damaged.filter((name) => name.endsWith('.embeddings')).length).toBeGreaterThan(5);
    expect(damaged.filter((name) => /\.(clip|input)$/.test(name)).length).toBeGreaterThan(40);
    const { code, stderr } = await resume('mended');
    expect(code, stderr).toBe(0);
    for (const name of ['metrics.jsonl', 'metrics.json', 'model.safetensors', 'last.safetensors']) {
      const [mended, whole] = await Promise.all(
        ['mended', 'whole'].map((run) => readFile(join(folder, run, name))),
      );
      expect(mended?.equals(whole ?? Buffer.alloc(0)), name).toBe(true);
    }
  });
});

describe('a run in use', () => {
  it('is refused to a second training', async () => {
    const { child, finished } = start([...TRAIN, ...COMMON, '--epochs', '100000', '--out', 'used'], folder);
    const config = (): Promise<string> =>
      readFile(join(folder, 'used', 'config.json'), 'utf8').catch(() => '');
    while ((await config()) === '') await sleep(20);
    const second = await resume('used');
    expect(second.stderr).toMatch(
      new RegExp(`used is in use by process ${child.pid} on .* since 20.*: wait for its end`),
    );
    expect(second.code).toBe(1);
    child.kill('SIGKILL');
    await finished;
  });

  it('is refused to a second reproduce of the same table', async () => {
    const out = join(folder, 'table');
    const args = ['reproduce', 'table1', '--data', 'data', '--scale', 'smoke', '--out', out, ...COMMON];
    const { code, stderr } = await withRunLock(out, () => wavelight(args, folder));
    expect(stderr).toContain(`${out} is in use by process ${process.pid} on `);
    expect(code).toBe(1);
    expect(await filesIn(out)).toEqual(['.lock-1']);
  });
});
