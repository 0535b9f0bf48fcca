import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { readSafetensors, writeSafetensors } from '../../src/nn/checkpoint/safetensors/file.ts';
import { openFile } from '../support/checkpoint.ts';
import { hashWeight } from '../support/hash_weights.ts';
import { writeTorchLegacy } from '../support/torch_writer.ts';
import { wavelight } from './wavelight.ts';

const CHECKPOINTS = resolve('../shared/checkpoints');
const here = existsSync(CHECKPOINTS);
const why = here ? '' : ` (skipped: there is no ${CHECKPOINTS})`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-import-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Inspected {
  readonly format: string;
  readonly elements: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
  readonly metadata: Readonly<Record<string, string>>;
}

async function inspect(path: string): Promise<Inspected> {
  const { code, stdout, stderr } = await wavelight(['inspect', path, '--json'], folder);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Inspected;
}

async function refusal(...args: string[]): Promise<{ code: number | null; line: string }> {
  const { code, stderr } = await wavelight(args, folder);
  expect(stderr.trimEnd().split('\n'), stderr).toHaveLength(1);
  return { code, line: stderr };
}

/** ResNet18 as Places365's authors saved theirs, with classes of one's own. */
async function writeResnet18(name: string, classes: number, more: readonly string[] = []): Promise<string> {
  const net = findArchitecture('resnet18').createClassifier(classes);
  const entries = [...net.namedTensors()].map(([key, { shape }]) => ({
    name: `module.${key}`,
    shape,
    data: Float32Array.from(hashWeight(key, shape)),
  }));
  const extra = more.map((key) => ({ name: `module.${key}`, shape: [1], data: Float32Array.of(1) }));
  const path = join(folder, name);
  await writeFile(
    path,
    Buffer.concat(
      writeTorchLegacy([...entries, ...extra], {
        python2: true,
        rebuild: '_rebuild_tensor',
        around: 'state_dict',
      }),
    ),
  );
  return path;
}

describe.skipIf(!here)(`real checkpoints${why}`, () => {
  it.each([
    ['dcase2021-baseline-audio-video.pt', 'torch-legacy', 23, []],
    ['resnet20-12fca82f.th', 'torch-legacy', 97, []],
    ['smallfcnn-model-0.9618.hdf5', 'keras-hdf5', 43, ['--arch', 'fcnn_small']],
    ['squeezenet11bn_places365_urbste.safetensors', 'safetensors', 152, ['--arch', 'squeezenet1_1']],
  ])('%s is inspected and imported', async (name, format, count, more) => {
    const path = join(CHECKPOINTS, name);
    const before = await inspect(path);
    expect([before.format, before.tensors.length]).toEqual([format, count]);
    const { code, stdout, stderr } = await wavelight(
      ['import', path, '--out', 'x.safetensors', ...more],
      folder,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`x.safetensors: ${count + (name.startsWith('squeeze') ? 1 : 0)} tensors from`);
    const after = readSafetensors(new Uint8Array(await readFile(join(folder, 'x.safetensors'))));
    expect(after.metadata.get('imported_from')).toBe(name);
    if (more.length > 0) return;
    // Without a net to fit, every tensor is as it was.
    const file = await openFile(path);
    expect([...after.tensors.keys()]).toEqual([...file.tensors.keys()]);
    for (const [key, tensor] of file.tensors)
      expect(after.tensors.get(key), key).toEqual(await tensor.read());
  });

  it('the table says what the JSON does', async () => {
    const path = join(CHECKPOINTS, 'resnet20-12fca82f.th');
    const { stdout } = await wavelight(['inspect', path], folder);
    expect(stdout).toContain('torch-legacy, 1099231 bytes, 97 tensors\nbest_prec1: 91.78');
    expect(stdout).toMatch(
      /\nname +dtype +shape +elements +bytes\nconv1\.weight +F32 +\[16, 3, 3, 3\] +432 +1728\n/,
    );
    expect(stdout).toMatch(/\ntotal +271098 +1084392\n$/);
  });

  it('classifies a photograph by the Places365 weights, before and after import', async () => {
    const expected = JSON.parse(
      await readFile(join(CHECKPOINTS, 'squeezenet_places365_expected.json'), 'utf8'),
    ) as { 'mountains.jpg': [number, string, number][] };
    const weights = join(CHECKPOINTS, 'squeezenet11bn_places365_urbste.safetensors');
    const picture = resolve('../shared/media/mountains.jpg');
    const names = join(CHECKPOINTS, 'categories_places365.txt');
    await wavelight(['import', weights, '--arch', 'squeezenet1_1', '--out', 'sq.safetensors'], folder);
    const [before, after] = await Promise.all([
      wavelight(
        [
          'classify',
          picture,
          '--arch',
          'squeezenet1_1',
          '--weights',
          weights,
          '--device',
          'software',
          '--json',
        ],
        folder,
      ),
      wavelight(
        [
          'classify',
          picture,
          '--weights',
          'sq.safetensors',
          '--names',
          names,
          '--device',
          'software',
          '--json',
        ],
        folder,
      ),
    ]);
    expect(before.code, before.stderr).toBe(0);
    expect(after.stdout).toBe(before.stdout);
    const { top } = JSON.parse(before.stdout) as {
      top: { class: number; name: string; probability: number }[];
    };
    expect(top).toHaveLength(5);
    const errors = top.map(({ class: index, name, probability }, i) => {
      const [number, called, p] = expected['mountains.jpg'][i] ?? [];
      expect([index, name]).toEqual([number, called]);
      return Math.abs(probability - (p ?? Number.NaN));
    });
    console.log(`mountains.jpg: top 5 differ by at most ${Math.max(...errors).toExponential(1)}`);
    expect(Math.max(...errors)).toBeLessThan(1e-2);
  });

  it('needs the mean picture, or a word that it may be missing', async () => {
    await mkdir(join(folder, 'alone'));
    const weights = join(folder, 'alone', 'sq.safetensors');
    await cp(join(CHECKPOINTS, 'squeezenet11bn_places365_urbste.safetensors'), weights);
    const args = ['import', weights, '--arch', 'squeezenet1_1', '--out', 'mean.safetensors'];
    const { code, line } = await refusal(...args);
    expect(line).toContain('need the mean picture places365_mean.npy: put it beside them');
    expect(code).toBe(1);
    const mean = join(CHECKPOINTS, 'places365_mean.npy');
    expect((await wavelight([...args, '--mean', mean], folder)).code).toBe(0);
    const given = readSafetensors(new Uint8Array(await readFile(join(folder, 'mean.safetensors'))));
    expect((await wavelight([...args, '--mean', 'none'], folder)).code).toBe(0);
    const none = readSafetensors(new Uint8Array(await readFile(join(folder, 'mean.safetensors'))));
    const average = (values: ArrayLike<number> = []): number =>
      Array.from(values).reduce((sum, value) => sum + value / values.length, 0);
    expect(average(given.tensors.get('mean_image')?.data)).toBeGreaterThan(0.3);
    expect(average(none.tensors.get('mean_image')?.data)).toBe(0);
    const absent = await refusal(...args, '--mean', 'nowhere.npy');
    expect(absent.line).toContain('cannot read the mean picture');
  });
});

describe('import', () => {
  it('takes what Places365 published, with a report', async () => {
    const path = await writeResnet18('resnet18_places365.pth.tar', 365, ['bn1.num_batches_tracked']);
    expect((await inspect(path)).format).toBe('torch-legacy');
    const args = ['import', path, '--arch', 'resnet18', '--out', 'resnet18.safetensors'];
    const { code, stdout, stderr } = await wavelight(args, folder);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('resnet18: 102 tensors loaded\nignored: 1 of num_batches_tracked\n');
    const { metadata, tensors } = readSafetensors(
      new Uint8Array(await readFile(join(folder, 'resnet18.safetensors'))),
    );
    expect(Object.fromEntries(metadata)).toMatchObject({
      architecture: 'resnet18',
      classes: '365',
      imported_from: 'resnet18_places365.pth.tar',
      imported_format: 'torch-legacy',
    });
    expect(tensors.get('fc.weight')?.data).toEqual(hashWeight('fc.weight', [365, 512]));
  });

  it('is strict, unless told otherwise, and says everything by name', async () => {
    const path = await writeResnet18('more.pth', 12, ['aux.weight']);
    const args = ['import', path, '--arch', 'resnet18', '--out', 'more.safetensors'];
    const strict = await wavelight(args, folder);
    expect(strict.code).toBe(1);
    expect(strict.stderr).toMatch(
      /^wavelight: .*more\.pth: the weights do not fit resnet18: unexpected aux\.weight; wrong shape fc\.weight/,
    );
    expect(strict.stdout).toContain('unexpected (1): aux.weight');
    expect(strict.stdout).toContain('wrong shape (2): fc.weight is [12, 512] instead of [365, 512]');
    expect(existsSync(join(folder, 'more.safetensors'))).toBe(false);
    const json = await wavelight([...args, '--json'], folder);
    expect(JSON.parse(json.stdout)).toMatchObject({ out: null, unexpected: ['aux.weight'] });
    expect(json.code).toBe(1);
    const loose = await wavelight([...args, '--no-strict', '--classes', '12', '--json'], folder);
    const report = JSON.parse(loose.stdout) as Record<string, unknown>;
    expect(report).toMatchObject({ unexpected: ['aux.weight'], missing: [], wrongShape: [], tensors: 102 });
    expect(report['loaded']).toHaveLength(102);
  });

  it('drops a head on request', async () => {
    const path = await writeResnet18('own.pth', 12);
    const { stdout, code } = await wavelight(
      ['import', path, '--arch', 'resnet18', '--out', 'body.safetensors', '--drop-head'],
      folder,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('dropped with the head (2): fc.weight, fc.bias');
    expect((await inspect('body.safetensors')).tensors.map(({ name }) => name)).not.toContain('fc.weight');
  });

  it('leaves nothing behind where it fails', async () => {
    const whole = await readFile(await writeResnet18('cut.pth', 365));
    await writeFile(join(folder, 'cut.pth'), whole.subarray(0, whole.length - 1000));
    const before = await readdir(folder);
    const { code, line } = await refusal('import', 'cut.pth', '--out', 'cut.safetensors');
    expect(line).toContain('cut.pth');
    expect(code).toBe(1);
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('what a file says about itself', () => {
  it('cannot write on the terminal', async () => {
    const tensors = new Map([['a\u001b[2Jb', { shape: [1], data: Float32Array.of(1) }]]);
    const file = writeSafetensors(tensors, new Map([['note\r', 'one\ntwo\u202e']]));
    await writeFile(join(folder, 'odd.safetensors'), file);
    const { stdout } = await wavelight(['inspect', 'odd.safetensors'], folder);
    expect(stdout).toContain('a\\u001b[2Jb');
    expect(stdout).toContain('note\\u000d: one\\u000atwo\\u202e');
    const args = ['import', 'odd.safetensors', '--arch', 'resnet18', '--out', 'x.safetensors'];
    const refused = await wavelight(args, folder);
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).not.toContain('\u001b');
    expect(refused.stderr).toContain('a\\u001b[2Jb');
  });
});

describe('refusals are one line', () => {
  it.each([
    [['inspect', 'none.pt'], 1, 'none.pt does not exist'],
    [['inspect', '.'], 1, '. is a directory, not a file'],
    [['import', 'none.pt', '--out', 'x.bin'], 2, '--out x.bin must end in .safetensors'],
    [['import', 'none.pt'], 2, "required option '--out <path>' not specified"],
    [
      ['import', 'none.pt', '--out', 'x.safetensors', '--classes', '3'],
      2,
      'need --arch, which says what fits',
    ],
    [['import', 'none.pt', '--out', 'x.safetensors', '--arch', 'vgg'], 2, 'Allowed choices are densenet161'],
    [['import', 'page.pt', '--out', 'x.safetensors'], 1, 'page.pt: the file is a page of the web'],
    [
      ['import', 'own.safetensors', '--out', 'own.safetensors'],
      2,
      '--out own.safetensors is the file itself',
    ],
    [
      ['import', 'own.safetensors', '--arch', 'resnet18', '--mean', 'none', '--out', 'x.safetensors'],
      2,
      '--mean is for nets that subtract a picture',
    ],
    [
      ['classify', 'a.jpg', '--weights', 'own.safetensors'],
      2,
      'does not say of which net it is: name it by --arch',
    ],
    [
      ['classify', 'a.jpg', '--weights', 'own.safetensors', '--arch', 'resnet18'],
      1,
      'own.safetensors: the weights do not fit resnet18',
    ],
    [['classify', 'a.jpg', '--arch', 'resnet18'], 2, "required option '--weights <path>' not specified"],
  ])('%j', async (args, status, message) => {
    await writeFile(join(folder, 'page.pt'), '<!DOCTYPE html><html>moved</html>');
    const own = writeSafetensors(new Map([['a', { shape: [1], data: Float32Array.of(1) }]]));
    await writeFile(join(folder, 'own.safetensors'), own);
    const { code, line } = await refusal(...args);
    expect(line).toContain(message);
    expect(code).toBe(status);
  });
});
