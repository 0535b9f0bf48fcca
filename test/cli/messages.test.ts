// What the command line says of paths that are something else than files, and of folders where nothing can be written.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../../src/avsc/audio/wav.ts';
import { writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { shell, wavelight } from './wavelight.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-messages-'));
  const tone = Float32Array.from({ length: 48_000 }, (_, i) => 0.5 * Math.sin(i / 8));
  await writeFile(join(folder, 'tone.wav'), encodeWav([tone, tone], 48_000, 16));
  const tensors = new Map([['a', { shape: [1], data: Float32Array.of(1) }]]);
  await writeFile(join(folder, 'own.safetensors'), writeSafetensors(tensors));
  await writeFile(join(folder, 'plain'), '');
  await writeFile(join(folder, 'nul.json'), JSON.stringify({ extends: './a\0b.json' }));
  await mkdir(join(folder, 'folder.npy'));
  await mkdir(join(folder, 'set', 'evaluation_setup'), { recursive: true });
  for (const pipe of ['pipe', 'set/evaluation_setup/fold1_train.csv'])
    execFileSync('mkfifo', [join(folder, pipe)]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The last line on stderr, of a command that ends with 1. */
async function refusal(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await wavelight(args, folder);
  expect([code, stdout], stderr).toEqual([1, '']);
  return stderr.trimEnd().split('\n').at(-1) ?? '';
}

describe('something else than a file is named as what it is, and never waited for', () => {
  it.each([
    [['features', 'pipe'], 'pipe is a pipe, not a file'],
    [['features', '.'], '. is a directory, not a file'],
    [['features', '/dev/zero'], '/dev/zero is a device, not a file'],
    [['inspect', 'pipe'], 'pipe is a pipe, not a file'],
    [['inspect', 'plain/x'], 'plain/x does not exist: a part of the path is a file, not a directory'],
    [['augment', 'pipe', '--op', 'Sharpness', '--out', 'x.png'], 'pipe is a pipe, not a file'],
    [['augment', '.', '--op', 'pitch', '--out', 'x.wav'], '. is a directory, not a file'],
    [
      ['augment', 'tone.wav', '--op', 'mix', '--with', 'pipe', '--out', 'x.wav'],
      'pipe is a pipe, not a file',
    ],
    [['classify', 'a.jpg', '--weights', 'pipe'], 'pipe is a pipe, not a file'],
    [
      [
        ...['import', 'own.safetensors', '--arch', 'squeezenet1_1'],
        ...['--mean', 'pipe', '--out', 'x.safetensors'],
      ],
      'pipe is a pipe, not a file',
    ],
    [['train', '--config', './pipe'], 'pipe is a pipe, not a file'],
    [['train', '--config', './folder.npy'], 'folder.npy is a directory, not a file'],
    [['train', '--config', './nul.json'], 'a\\u0000b.json cannot be read: the name contains a NUL byte'],
    [['train', '--data', 'set', '--out', 'x'], 'fold1_train.csv is a pipe, not a file'],
    [['train', '--video', 'resnet18', '--video-weights', 'pipe'], 'pipe is a pipe, not a file'],
  ])('%j', async (args, message) => {
    const line = await refusal(...args);
    expect(line.slice(-message.length), line).toBe(message);
  });
});

describe('a result that cannot be written: one sentence that names the folder and the way out', () => {
  const inFile = /a part of the path is a file, not a folder \(E\w+\): choose another folder$/;
  const inProc = /nothing can be made in \/proc \(ENOENT\): choose another folder$/;
  const proc = existsSync('/proc/self');
  it.each([
    [['features', 'tone.wav', '--out', 'plain/x.npy'], inFile],
    [['features', 'tone.wav', '--out', 'folder.npy'], /folder\.npy: it is a directory: name a file$/],
    [['import', 'own.safetensors', '--out', 'plain/x.safetensors'], inFile],
    [['augment', 'tone.wav', '--op', 'pitch', '--out', 'plain/x.wav'], inFile],
    [['bench', 'kernels', '--out', 'plain/x.json'], inFile],
    [['bench', 'peers', '--json', '/dev/null'], /cannot write \/dev\/null: it is a device: name a file$/],
    [['train', '--out', 'plain'], inFile],
    [['fetch-weights', 'categories_places365', '--out', 'plain'], inFile],
    ...(proc ? ([[['features', 'tone.wav', '--out', '/proc/none/x.npy'], inProc]] as const) : []),
  ] as const)('%j', async (args, message) => {
    expect(await refusal(...args)).toMatch(message);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe.skipIf(process.platform !== 'linux')('a small ulimit -v (on Linux)', () => {
  const refused =
    /WebGPU .* takes about \S+ MiB of address space, and ulimit -v leaves \S+ MiB of 1\.9 GiB: lift/;

  it('doctor reports what fits', async () => {
    const { code, stdout, stderr } = await shell('ulimit -v 2000000; wavelight doctor', folder);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^address space +\S+ MiB free of the 1\.9 GiB that ulimit -v allows$/m);
    expect(stdout).toMatch(refused);
    expect(stdout).toContain('auto takes            nothing');
  });

  it('what needs a device says how much it takes', async () => {
    const { code, stdout, stderr } = await shell('ulimit -v 2000000; wavelight bench kernels', folder);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(refused);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
