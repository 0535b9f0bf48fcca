// Results that cannot be written or that nobody reads, and files that cannot be used.

import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../../src/avsc/audio/wav.ts';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import { writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { writeVideo } from '../avsc/media-files.ts';
import { shell, wavelight } from './wavelight.ts';

const DEVICE = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';
const FULL = 'wavelight: the output could not be written: the disk is full (ENOSPC)';
const TRAIN = `train --data data --cache cache --epochs 1 --batch 4 --device ${DEVICE}`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-output-'));
  await makeDataset(join(folder, 'data'), { train: 1, evaluate: 1, seconds: 1 });
  const tone = Float32Array.from({ length: 96_000 }, (_, i) => 0.5 * Math.sin(i / 8));
  await writeFile(join(folder, 'tone.wav'), encodeWav([tone, tone], 48_000, 16));
  await writeFile(join(folder, 'cut.wav'), encodeWav([tone, tone], 48_000, 16));
  await truncate(join(folder, 'cut.wav'), 30);
  const tensors = new Map([['a', { shape: [2], data: Float32Array.of(1, 2) }]]);
  await writeFile(join(folder, 'own.safetensors'), writeSafetensors(tensors));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Exit status and stderr of `wavelight ARGS REDIRECTION`. */
async function run(args: string, redirection: string): Promise<{ code: number; stderr: string }> {
  const { code, stdout, stderr } = await shell(
    `wavelight ${args} ${redirection}; echo "status \${PIPESTATUS[0]}"`,
    folder,
  );
  expect(code).toBe(0);
  return { code: Number(/^status (\d+)$/m.exec(stdout)?.[1]), stderr };
}

/** The lines of stderr that are errors, not progress. */
const errors = (stderr: string): string[] =>
  stderr
    .split('\n')
    .filter((line) => /^wavelight:|Error(?![.]cpp)|EPIPE|^ +at .*(node:|[.][jt]s:)/.test(line));

describe('train', () => {
  it('completes its run where nobody reads either stream', async () => {
    const { code } = await run(`${TRAIN} --out whole`, '2>&1 | true');
    expect(code).toBe(0);
    for (const file of ['metrics.json', 'model.safetensors', 'report.html', 'last.safetensors'])
      expect((await stat(join(folder, 'whole', file))).size, file).toBeGreaterThan(0);
  });

  it('completes its run where both streams go to a full disk, and ends with 1', async () => {
    const { code } = await run(`${TRAIN} --out full`, '> /dev/full 2> /dev/full');
    expect(code).toBe(1);
    for (const file of ['metrics.json', 'model.safetensors', 'report.html'])
      expect((await stat(join(folder, 'full', file))).size, file).toBeGreaterThan(0);
  });
});

/** Every command that prints, apart from those whose work takes long. */
const COMMANDS = [
  '--help',
  '--version',
  'help',
  'predict --help',
  'train --dry-run --preset small',
  'train --dry-run --preset small --json',
  'prepare --data data --cache cache',
  `eval whole --cache cache --device ${DEVICE}`,
  `eval whole --cache cache --device ${DEVICE} --json`,
  `predict whole tone.wav --device ${DEVICE}`,
  'export whole --format safetensors',
  'inspect own.safetensors',
  'inspect own.safetensors --json',
  'import own.safetensors --out imported.safetensors',
  'features tone.wav --out tone.npy',
  'augment --list',
  'augment tone.wav --op pitch --out higher.wav',
  'bench model --model small --limits h100 --memory',
  'bench model --model small --limits h100 --memory --json',
  'doctor',
];

describe('a full disk behind stdout ends with 1 and one sentence', () => {
  it.each(COMMANDS)('%s', async (args) => {
    const { code, stderr } = await run(args, '> /dev/full');
    expect(errors(stderr)).toEqual([FULL]);
    expect(code).toBe(1);
  });

  it('a disk that takes a part only', async () => {
    const limited = await shell('ulimit -f 1; wavelight --help > part.txt', folder);
    expect(limited.code).toBe(1);
    expect(limited.stderr).toContain(
      'the output could not be written: the file would be larger than allowed (EFBIG)',
    );
    expect((await stat(join(folder, 'part.txt'))).size).toBe(1024);
  });
});

describe('a closed pipe behind stdout ends quietly', () => {
  it.each(COMMANDS.filter((args) => !/help|--json|^prepare/.test(args)))('%s', async (args) => {
    const { code, stderr } = await run(args, '| true');
    expect(errors(stderr)).toEqual([]);
    expect(code).toBe(0);
  });
});

it('import writes its file where nobody reads its report', async () => {
  const { code } = await run('import own.safetensors --out unread.safetensors', '| true');
  expect(code).toBe(0);
  expect((await stat(join(folder, 'unread.safetensors'))).size).toBeGreaterThan(0);
});

it('reproduce ends with 1 if a row failed', async () => {
  const { code, stderr } = await run(
    'reproduce table4 --data data --cache cache --rows baseline',
    '> /dev/null',
  );
  expect(errors(stderr)).toEqual(['wavelight: 1 of 5 rows failed']);
  expect(code).toBe(1);
});

describe('predict', () => {
  it('goes on after a file that cannot be used, names each of them and ends with 1', async () => {
    const { code, stdout, stderr } = await wavelight(
      ['predict', 'whole', 'tone.wav', 'cut.wav', 'none.mp4', 'tone.wav', '--device', DEVICE],
      folder,
    );
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { second: number }).second)).toEqual([0, 1, 0, 1]);
    expect(errors(stderr)).toEqual([
      expect.stringMatching(/^wavelight: cut\.wav\b/),
      expect.stringMatching(/^wavelight: none\.mp4 does not exist/),
      'wavelight: 2 of 4 files could not be used',
    ]);
    expect(code).toBe(1);
  });

  it('says of each second of a file that was cut that it is, and warns once', async () => {
    const video = join(folder, 'recording.mp4');
    await writeVideo(video, {
      rate: 30,
      frames: 300,
      colour: (i) => [(37 * i) % 256, 99, 255 - (i % 256)],
      tables: 'first',
    });
    await truncate(video, Math.floor((await stat(video)).size * 0.75));
    const { code, stdout, stderr } = await wavelight(
      ['predict', 'whole', 'recording.mp4', 'tone.wav', '--device', DEVICE],
      folder,
    );
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; second: number; truncated?: boolean });
    const cut = lines.slice(0, -2);
    console.log(`${cut.length} of 10 seconds are left`);
    expect(cut.length).toBeGreaterThan(0);
    expect(cut.length).toBeLessThan(10);
    expect(lines.map(({ file, second, truncated }) => [file, second, truncated])).toEqual([
      ...cut.map((_, second) => ['recording.mp4', second, true]),
      ['tone.wav', 0, undefined],
      ['tone.wav', 1, undefined],
    ]);
    expect(stderr.split('\n').filter((line) => line.includes('truncated'))).toEqual([
      expect.stringMatching(
        /^recording\.mp4 is truncated: its header describes \d+ bytes, it has \d+, and its pictures end /,
      ),
    ]);
    expect(code).toBe(0);
  });

  it('does no work that nobody reads', async () => {
    const { code, stderr } = await run(`predict whole tone.wav cut.wav --device ${DEVICE}`, '| true');
    // The second file was not looked at.
    expect(errors(stderr)).toEqual([]);
    expect(code).toBe(0);
  });

  it('ends at once where no file can be used', async () => {
    await mkdir(join(folder, 'empty'));
    const { code, stderr } = await wavelight(['predict', '--run', 'empty', 'tone.wav', 'cut.wav'], folder);
    expect(errors(stderr)).toEqual(["wavelight: empty is not a run's folder: it has no config.json"]);
    expect(code).toBe(1);
  });
});
