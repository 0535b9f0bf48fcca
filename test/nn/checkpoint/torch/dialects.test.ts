// Dialects that no PyTorch at hand writes, by the writer in test/support.
import { describe, expect, it, test } from 'vitest';
import type { CheckpointFile } from '../../../../src/nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../../../src/nn/checkpoint/source.ts';
import { readTorchLegacy } from '../../../../src/nn/checkpoint/torch/legacy.ts';
import { readTorchZip } from '../../../../src/nn/checkpoint/torch/zip.ts';
import {
  joined,
  orderedDict,
  writeTorchLegacy,
  writeTorchZip,
  type TorchEntry,
  type TorchOptions,
  type TorchZipOptions,
} from '../../../support/torch_writer.ts';
import {
  call,
  float,
  global,
  persistent,
  pickle,
  tuple,
  type Picklable,
} from '../../../support/torch_writer_pickle.ts';
import { writeZip } from '../../../support/torch_writer_zip.ts';

const legacy = (entries: Iterable<TorchEntry>, options?: TorchOptions): Promise<CheckpointFile> =>
  readTorchLegacy(bytesSource(joined(writeTorchLegacy(entries, options))));
const zip = (entries: Iterable<TorchEntry>, options?: TorchZipOptions): Promise<CheckpointFile> =>
  readTorchZip(bytesSource(joined(writeTorchZip(entries, options))));

/** A zip whose pickle is this object, with one storage `0` of 6 floats, 0 to 5. */
function zipOf(object: Picklable): Promise<CheckpointFile> {
  const data = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
  const files = [
    { name: 'a/data.pkl', data: pickle(object) },
    { name: 'a/data/0', data },
  ];
  return readTorchZip(bytesSource(joined(writeZip(files))));
}

const storage = (count: Picklable = 6, type = 'FloatStorage'): Picklable =>
  persistent(tuple('storage', global('torch', type), '0', 'cpu', count));
const tensor = (offset: Picklable, shape: Picklable, strides: Picklable, from = storage()): Picklable =>
  call(global('torch._utils', '_rebuild_tensor_v2'), [
    from,
    offset,
    shape,
    strides,
    false,
    orderedDict(new Map()),
  ]);
const six = tensor(0, tuple(6), tuple(1));

async function valuesOf(file: CheckpointFile): Promise<Record<string, number[]>> {
  const values: Record<string, number[]> = {};
  for (const [name, entry] of file.tensors) values[name] = [...(await entry.read()).data];
  return values;
}

const ENTRIES: readonly TorchEntry[] = [
  { name: 'features.conv0.weight', shape: [1, 2, 1, 2], data: Float32Array.of(1, -2, 3, 1e-40) },
  {
    name: 'features.t',
    shape: [3, 2],
    strides: [1, 3],
    data: Float32Array.of(1, 2, 3, 4, 5, 6),
    storage: 's',
  },
  { name: 'features.u', shape: [2], offset: 2, data: Float32Array.of(0), storage: 's' },
  { name: 'features.steps', shape: [], dtype: 'I64', data: BigInt64Array.of(-7n) },
  { name: 'features.short', shape: [2], dtype: 'I16', data: Int16Array.of(-2, 300) },
  { name: 'features.none', shape: [0, 4], data: new Float32Array() },
];
const VALUES = {
  'features.conv0.weight': [1, -2, 3, Math.fround(1e-40)],
  'features.t': [1, 4, 2, 5, 3, 6],
  'features.u': [3, 4],
  'features.steps': [-7],
  'features.short': [-2, 300],
  'features.none': [],
};

describe('legacy dialects', () => {
  it('reads what Python 2.7 and PyTorch 0.2 wrote, as Places365', async () => {
    const names = ['denselayer1.norm.1.weight', 'denselayer1.conv.1.weight'];
    const entries = names.map((name, i) => ({
      name: `module.features.${name}`,
      shape: [2],
      data: Float32Array.of(i, 9),
    }));
    const beside = new Map<string, Picklable>([
      ['epoch', 90],
      ['arch', 'densenet161'],
      ['best_prec1', float(56.1)],
    ]);
    const file = await legacy(entries, {
      python2: true,
      rebuild: '_rebuild_tensor',
      location: 'cuda:0',
      around: 'state_dict',
      beside,
    });
    expect(await valuesOf(file)).toEqual({
      [`features.${names[0]}`]: [0, 9],
      [`features.${names[1]}`]: [1, 9],
    });
    expect(Object.fromEntries(file.metadata)).toEqual({
      epoch: '90',
      arch: 'densenet161',
      best_prec1: '56.1',
    });
  });

  it.each<TorchOptions>([
    { protocol: 2 },
    { protocol: 3, parameter: true },
    { protocol: 4, location: 'mps' },
    { protocol: 5 },
    { python2: true },
    { littleEndian: false },
  ])('reads %o', async (options) => {
    expect(await valuesOf(await legacy(ENTRIES, options))).toEqual(VALUES);
  });

  it('reads views of storages as PyTorch 0.1 kept them', async () => {
    const view = { key: 'v', offset: 2, size: 3 };
    const entry = { name: 'v', shape: [2], offset: 1, data: Float32Array.of(0, 1, 2, 3, 4, 5), view };
    expect(await valuesOf(await legacy([entry]))).toEqual({ v: [3, 4] });
    await expect(legacy([{ ...entry, offset: 2 }])).rejects.toThrow('reaches element 6 of a storage of 5');
    await expect(legacy([{ ...entry, view: { ...view, offset: 4 } }])).rejects.toThrow(
      'views elements 4 and 3 more',
    );
  });

  it('says where a file ends too early, wherever that is', async () => {
    const whole = joined(writeTorchLegacy(ENTRIES));
    for (let size = 0; size < whole.length; size++) {
      const error = await readTorchLegacy(bytesSource(whole.subarray(0, size))).catch(
        (thrown: unknown) => thrown,
      );
      expect(String(error)).toMatch(/cut short/);
    }
  });

  it('refuses storages whose count or list differs from the pickle', async () => {
    const pieces = writeTorchLegacy([{ name: 'x', shape: [2], data: Float32Array.of(1, 2) }]);
    const changed = (at: number, piece: Uint8Array): Promise<CheckpointFile> =>
      readTorchLegacy(bytesSource(joined(pieces.map((old, i) => (i === at ? piece : old)))));
    await expect(changed(5, new Uint8Array(8).fill(1))).rejects.toThrow(
      /has 72340172838076673 elements where .* 2/,
    );
    await expect(changed(4, pickle([]))).rejects.toThrow('its list of storages lacks "0"');
    await expect(changed(4, pickle(['7']))).rejects.toThrow('that no tensor refers to');
    await expect(changed(1, pickle(1002))).rejects.toThrow('protocol the value 1002, known is 1001');
    await expect(changed(0, pickle(7))).rejects.toThrow('not one of torch.save');
  });
});

describe('zip dialects', () => {
  it.each<TorchZipOptions>([
    { folder: 'résnet18-f37072fd' },
    { deflate: true, protocol: 4 },
    { zip64: true },
    { zip64: true, descriptors: true },
    { descriptors: true, comment: 'made by hand' },
    { storages: 'tensors', alignment: 1 },
    { littleEndian: false },
    { littleEndian: false, deflate: true, parameter: true },
    {
      records: new Map([
        ['byteorder', 'little'],
        ['.format_version', '1'],
        ['.data/serialization_id', '0123'],
      ]),
    },
  ])('reads %o', async (options) => {
    const file = await zip(ENTRIES, options);
    expect(file.format).toBe('torch-zip');
    expect(await valuesOf(file)).toEqual(VALUES);
  });

  it('reads elements of untyped storages, as of newer types', async () => {
    const x = call(global('torch._utils', '_rebuild_tensor_v3'), [
      persistent(tuple('storage', global('torch.storage', 'UntypedStorage'), '0', 'cpu', 24)),
      1,
      tuple(2, 2),
      tuple(1, 2),
      false,
      orderedDict(new Map()),
      global('torch', 'uint16'),
    ]);
    const { x: values } = await valuesOf(await zipOf(new Map([['x', x]])));
    const words = new Uint16Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
    expect(values).toEqual([words[1], words[3], words[2], words[4]]);
  });

  it('inflates no more than asked for, from pieces', async () => {
    const data = Float32Array.from({ length: 300_000 }, (_, i) => Math.sin(i));
    const entries = [
      { name: 'all', shape: [300_000], data, storage: 's' },
      { name: 'middle', shape: [3], offset: 150_000, data, storage: 's' },
    ];
    const { all, middle } = await valuesOf(await zip(entries, { deflate: true }));
    expect(all).toEqual([...data]);
    expect(middle).toEqual([...data.subarray(150_000, 150_003)]);
  });

  it.each([
    [{ 'b/data.pkl': '' }, 'several data.pkl'],
    [{ 'a/constants.pkl': '' }, 'TorchScript'],
    [{ 'a/byteorder': 'middle' }, 'its byte order is "middle"'],
  ])('refuses a zip with %o', async (extra, why) => {
    const files = Object.entries({ ...extra }).map(([name, text]) => ({
      name,
      data: new TextEncoder().encode(text),
    }));
    const all = [{ name: 'a/data.pkl', data: pickle(new Map([['x', six]])) }, ...files];
    await expect(readTorchZip(bytesSource(joined(writeZip(all))))).rejects.toThrow(why);
  });

  it('says what a zip without a pickle holds', async () => {
    const files = [{ name: 'weights.npy', data: new Uint8Array(3) }];
    await expect(readTorchZip(bytesSource(joined(writeZip(files))))).rejects.toThrow(
      'no data.pkl and holds "weights.npy"',
    );
  });
});

describe('which dict is the state dict', () => {
  const one = new Map<Picklable, Picklable>([['w', six]]);
  const optimizer = new Map<Picklable, Picklable>([
    ['state', new Map([[0, new Map([['exp_avg', six]])]])],
    ['param_groups', []],
  ]);
  test.each<[string, Map<Picklable, Picklable>, string[]]>([
    ['itself', one, ['w']],
    [
      'the only one that holds tensors',
      new Map<Picklable, Picklable>([
        ['backbone', one],
        ['epoch', 3],
      ]),
      ['w'],
    ],
    [
      'the one that is no optimizer',
      new Map<Picklable, Picklable>([
        ['optim', optimizer],
        ['nets', one],
      ]),
      ['w'],
    ],
    [
      'by name',
      new Map<Picklable, Picklable>([
        ['ema', one],
        ['model', new Map([['v', six]])],
      ]),
      ['v'],
    ],
    [
      'by the first name',
      new Map<Picklable, Picklable>([
        ['model', one],
        ['state_dict', new Map([['v', six]])],
      ]),
      ['v'],
    ],
    [
      'nested',
      new Map<Picklable, Picklable>([
        ['a', six],
        ['b', new Map([['c', one]])],
      ]),
      ['a', 'b.c.w'],
    ],
    [
      'with module. where all have it',
      new Map([
        ['module.a', six],
        ['module.b', six],
      ]),
      ['a', 'b'],
    ],
    [
      'with module. where one has it not',
      new Map([
        ['module.a', six],
        ['b', six],
      ]),
      ['module.a', 'b'],
    ],
  ])('%s', async (_, object, names) => {
    expect([...(await zipOf(object)).tensors.keys()]).toEqual(names);
  });

  test.each<[string, Picklable, string | RegExp]>([
    [
      'two candidates',
      new Map([
        ['generator', one],
        ['critic', one],
      ]),
      '2 dicts in it hold tensors ("generator", "critic")',
    ],
    ['none', new Map([['epoch', 3]]), 'no tensors'],
    ['an optimizer alone', new Map([['optimizer', optimizer]]), 'no tensors'],
    ['a list', [six], 'it holds a list, not a state dict'],
    ['a tensor', six, 'a tensor alone'],
    [
      'a name twice',
      new Map<Picklable, Picklable>([
        ['b.w', six],
        ['b', one],
      ]),
      'its state dict has "b.w" twice',
    ],
    [
      'a key that is no name',
      new Map<Picklable, Picklable>([
        ['w', six],
        [tuple(1), six],
      ]),
      'is a tuple, not a text',
    ],
    [
      'a class',
      call(global('torch.nn.modules.linear', 'Linear'), []),
      /whole pickled module of class torch\.nn\.modules\.linear\.Linear.*state_dict\(\)/,
    ],
    ['an own class', call(global('__main__', 'Net'), []), /it names __main__\.Net.*state_dict\(\)/],
  ])('refuses %s', async (_, object, why) => {
    await expect(zipOf(object)).rejects.toThrow(why);
  });
});

describe('tensors that do not lie within their storage', () => {
  const many = Array.from({ length: 65 }, () => 1);
  test.each<[string, Picklable, string]>([
    ['offset', tensor(5, tuple(2), tuple(1)), 'reaches element 7 of a storage of 6'],
    ['strides', tensor(0, tuple(2, 2), tuple(5, 1)), 'reaches element 7 of a storage of 6'],
    ['negative stride', tensor(5, tuple(2), tuple(-1)), 'tensor "x" has -1 in its strides'],
    ['negative size', tensor(0, tuple(-1), tuple(1)), 'tensor "x" has -1 in its shape'],
    ['negative offset', tensor(-1, tuple(1), tuple(1)), 'begins at element -1'],
    ['sizes of 2^63', tensor(0, tuple(2n ** 63n), tuple(1)), 'has 9223372036854775808 in its shape'],
    ['a product of 2^64', tensor(0, tuple(2 ** 32, 2 ** 32), tuple(0, 0)), 'more than 2147483648 bytes'],
    ['strides beyond 2^53', tensor(0, tuple(2, 2, 2), tuple(2 ** 52, 2 ** 52, 2 ** 52)), 'of a storage of 6'],
    [
      'an expanded gigabyte',
      tensor(0, tuple(2 ** 28), tuple(0)),
      'repeats a storage of 6 elements to 268435456',
    ],
    ['many axes', tensor(0, tuple(...many), tuple(...many)), 'has 65 axes'],
    ['other strides', tensor(0, tuple(2, 3), tuple(1)), '2 axes and 1 strides'],
    [
      'a storage of another size',
      tensor(0, tuple(1), tuple(1), storage(2 ** 40)),
      'has 24 bytes where the pickle says',
    ],
    [
      'a storage of half a number',
      tensor(0, tuple(1), tuple(1), storage(float(1.5))),
      'a storage of 1.5 elements',
    ],
    [
      'complex elements',
      tensor(0, tuple(1), tuple(1), storage(3, 'ComplexFloatStorage')),
      'elements of torch.ComplexFloatStorage',
    ],
    [
      'a storage that is text',
      tensor(0, tuple(1), tuple(1), 'storage'),
      'is made of a text, not of a storage',
    ],
    [
      'another id',
      tensor(0, tuple(1), tuple(1), persistent('module')),
      'refers to a text instead of a storage',
    ],
  ])('%s', async (_, x, why) => {
    await expect(zipOf(new Map([['x', x]]))).rejects.toThrow(why);
  });

  it('refuses files whose tensors repeat a storage thousands of times', async () => {
    const wide = tensor(0, tuple(2 ** 22), tuple(0));
    const copies = Array.from({ length: 20 }, (_, i) => [`x${i}`, wide] as const);
    await expect(zipOf(new Map(copies))).rejects.toThrow('share 24 bytes so often');
  });
});
