import { mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { NOTHING_TUNED, type Tuned, type TunedProduct } from '../../src/gpu/tuned.ts';
import { NodeDevice } from '../../src/node/device.ts';
import { addTuned, readTuned, tunedPath, writeTuned } from '../../src/node/tuned-file.ts';
import { temporaryFolder } from '../avsc/media-files.ts';
import { testAdapter, testProfile } from '../support/device.ts';
import { ROOT } from '../support/processes.ts';

const ADAPTER = {
  vendor: 'mesa',
  architecture: 'software',
  device: 'llvmpipe',
  description: 'llvmpipe: Mesa 26 (LLVM 19)',
};

const entry = (chunk: number): TunedProduct => ({
  choice: { tile: 'registers8', chunk, flat: false, splits: 1 },
  wgsl: '0123456789abcdef',
  rivals: 'fedcba9876543210',
  usualMilliseconds: 2,
  milliseconds: 1,
});

const tuned = (...keys: string[]): Tuned => ({
  multiprocessors: 2,
  products: new Map(keys.map((key, i) => [key, entry(4 * i + 4)])),
});

describe('what was tuned, in a file', () => {
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name, 'tuned.json');

  it('is read as it was written, and equal measurements are equal files', async () => {
    const path = file('written');
    await addTuned(path, ADAPTER, tuned('a', 'b'));
    expect(await readTuned(path, ADAPTER)).toEqual({ tuned: tuned('a', 'b'), problem: null });
    const text = await readFile(path, 'utf8');
    await rm(path);
    const { products } = tuned('a', 'b');
    await addTuned(path, ADAPTER, { multiprocessors: 2, products: new Map([...products].reverse()) });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('is added to what is there', async () => {
    const path = file('added');
    await addTuned(path, ADAPTER, tuned('a'));
    const all = await addTuned(path, ADAPTER, { multiprocessors: null, products: tuned('b').products });
    expect(all).toEqual({
      multiprocessors: 2,
      products: new Map([
        ['a', entry(4)],
        ['b', entry(4)],
      ]),
    });
    expect(await readTuned(path, ADAPTER)).toEqual({ tuned: all, problem: null });
    expect(await readdir(dirname(path))).toEqual(['tuned.json']);
  });

  it('is nothing where there is no file', async () => {
    expect(await readTuned(file('none'), ADAPTER)).toEqual({ tuned: NOTHING_TUNED, problem: null });
  });

  it('has a file for each adapter and driver', () => {
    const other = { ...ADAPTER, description: 'llvmpipe: Mesa 27 (LLVM 19)' };
    expect(tunedPath(ADAPTER)).not.toBe(tunedPath(other));
    expect(tunedPath(ADAPTER)).toMatch(/wavelight\/tuned\/llvmpipe-[0-9a-f]{12}\.json$/);
    const hostile = { ...ADAPTER, device: '../../etc/passwd\0' };
    expect(tunedPath(hostile)).toMatch(/wavelight\/tuned\/etc-passwd-[0-9a-f]{12}\.json$/);
  });

  const valid = JSON.stringify({
    version: 1,
    adapter: Object.values(ADAPTER),
    multiprocessors: 2,
    products: { a: entry(4) },
  });
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(valid) as object), ...change });

  it.each([
    ['cut off', valid.slice(0, 40), 'it is not JSON'],
    ['empty', '', 'it is not JSON'],
    ['a list', '[]', 'it is no object'],
    ['of another version', changed({ version: 2 }), 'its version is 2, this program reads 1'],
    ['of another adapter', changed({ adapter: ['a', 'b', 'c', 'd'] }), 'it is of another adapter'],
    ['with half a multiprocessor', changed({ multiprocessors: 0.5 }), 'multiprocessors is 0.5'],
    ['with too many', changed({ multiprocessors: 1e9 }), 'multiprocessors is 1000000000'],
    ['with text for a number', changed({ multiprocessors: '2' }), 'multiprocessors is "2"'],
    ['without products', changed({ products: null }), 'products is no object'],
    ['with a product of nothing', changed({ products: { a: {} } }), 'its product "a" is none'],
    [
      'with an object as a choice',
      changed({ products: { a: { ...entry(4), choice: { tile: {} } } } }),
      'its product "a" is none',
    ],
    [
      'with a prototype',
      valid.replace('"products":{"a"', '"products":{"__proto__":1,"a"'),
      'its product "__proto__" is none',
    ],
  ])('is ignored with a sentence where it is %s', async (_, text, problem) => {
    const path = file('hostile');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    const read = await readTuned(path, ADAPTER);
    expect(read.tuned).toEqual(NOTHING_TUNED);
    expect(read.problem).toContain(`${path} holds no tuned choices: ${problem}`);
  });

  it('is ignored where the file is a folder, or a link to a device that never ends', async () => {
    await mkdir(file('folder'), { recursive: true });
    await mkdir(dirname(file('device')), { recursive: true });
    await symlink('/dev/zero', file('device'));
    for (const name of ['folder', 'device'])
      expect((await readTuned(file(name), ADAPTER)).problem).toMatch(/is a (directory|device), not a file$/);
  });

  it('of a run may be of any adapter', async () => {
    const path = file('run');
    await writeTuned(path, tuned('a'));
    expect(await readTuned(path, null)).toEqual({ tuned: tuned('a'), problem: null });
  });

  it('loses nothing of several processes that write at once', async () => {
    const path = file('shared');
    const script = `
      const { addTuned } = await import(process.argv[1]);
      for (let i = 0; i < 20; i++)
        await addTuned(process.argv[2], JSON.parse(process.argv[3]),
          { multiprocessors: null, products: new Map([[process.argv[4] + i, JSON.parse(process.argv[5])]]) });`;
    const module = join(ROOT, 'src/node/tuned-file.ts');
    const run = (name: string): Promise<unknown> =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '-e',
        script,
        module,
        path,
        JSON.stringify(ADAPTER),
        name,
        JSON.stringify(entry(4)),
      ]);
    await Promise.all(['x', 'y', 'z'].map(run));
    const { tuned: all, problem } = await readTuned(path, ADAPTER);
    expect(problem).toBeNull();
    expect(all.products.size).toBe(60);
    expect(await readdir(dirname(path))).toEqual(['tuned.json']);
  });

  it('is written though a process died while it wrote', async () => {
    const path = file('died');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.lock`, '');
    const long = new Date(Date.now() - 60_000);
    await utimes(`${path}.lock`, long, long);
    await addTuned(path, ADAPTER, tuned('a'));
    expect((await readTuned(path, ADAPTER)).tuned.products.size).toBe(1);
  });
});

describe('a device in Node', () => {
  const folder = temporaryFolder();

  it("takes what its adapter's file holds, and warns of one that it cannot use", async () => {
    const before = process.env['XDG_CACHE_HOME'];
    const warnings: string[] = [];
    const note = ({ message }: Error): unknown => warnings.push(message);
    const open = (): Promise<NodeDevice> => NodeDevice.create({ adapter: testAdapter, profile: testProfile });
    process.on('warning', note);
    try {
      // Before the folder changes, since SwiftShader is unpacked there.
      const first = await open();
      const { adapterInfo } = first.gpu.device;
      await first.destroy();
      process.env['XDG_CACHE_HOME'] = folder;
      const path = tunedPath(adapterInfo);
      await addTuned(path, adapterInfo, { ...tuned('a'), multiprocessors: 7 });
      const device = await open();
      expect(device.gpu.tuned.products.size).toBe(1);
      expect(device.gpu.geometry).toMatchObject({ multiprocessors: 7, workgroupsToFill: 14 });
      expect(device.runtime.target.tuned?.get('a')).toEqual(entry(4));
      await device.destroy();
      await writeFile(path, 'nothing');
      const other = await open();
      expect(other.gpu.tuned).toEqual(NOTHING_TUNED);
      await other.destroy();
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings.join()).toContain(
        `${path} holds no tuned choices: it is not JSON: it is ignored; wavelight bench tune measures anew`,
      );
    } finally {
      process.off('warning', note);
      if (before === undefined) delete process.env['XDG_CACHE_HOME'];
      else process.env['XDG_CACHE_HOME'] = before;
    }
  });
});
