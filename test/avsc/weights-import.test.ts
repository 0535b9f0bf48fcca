import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCompanions } from '../../src/avsc/node/weights/companions.ts';
import { encodeNpy } from '../../src/avsc/node/data/npy.ts';
import type { Architecture } from '../../src/avsc/weights/architecture.ts';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { formatReport, importWeights, readStateDict } from '../../src/avsc/weights/import.ts';
import { readNpy } from '../../src/avsc/weights/npy.ts';
import { parseCategories } from '../../src/avsc/weights/places365.ts';
import { MEAN_IMAGE } from '../../src/avsc/weights/squeezenet.ts';
import { viewOf } from '../../src/avsc/weights/views.ts';
import type { CheckpointTensor } from '../../src/nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../src/nn/checkpoint/source.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import { openWritten } from '../support/checkpoint.ts';
import { uniform } from '../support/hash.ts';
import { digests, hashWeights } from '../support/nets.ts';
import { temporaryFolder } from './media-files.ts';

const squeezenet = findArchitecture('squeezenet1_1');

const stateOf = ({ createClassifier }: Pick<Architecture, 'createClassifier'>, classes: number) =>
  hashWeights(createClassifier(classes));

const tensor = (name: string, shape: readonly number[]): HostTensor => ({
  shape,
  data: uniform(
    name,
    shape.reduce((product, size) => product * size, 1),
  ),
});

describe('importing weights', () => {
  test('takes what this engine wrote as it is', async () => {
    const state = stateOf(squeezenet, 365);
    const { tensors, report } = importWeights(await openWritten(state), squeezenet);
    expect(digests(await readStateDict(tensors))).toEqual(digests(state));
    expect(report).toEqual({
      architecture: 'squeezenet1_1',
      loaded: [...state.keys()],
      missing: [],
      unexpected: [],
      wrongShape: [],
      dropped: [],
      ignored: [],
    });
    expect(formatReport(report)).toBe(`squeezenet1_1: ${state.size} tensors loaded`);
  });

  test('names what is missing, unexpected and of another shape', async () => {
    const state = stateOf(squeezenet, 365);
    state.delete('fire4.squeeze.conv.bias');
    state.set('fire10.squeeze.conv.bias', tensor('x', [3]));
    state.set('two\nlines', tensor('x', [3]));
    state.set('fire5.squeeze.norm.bias', tensor('x', [7]));
    const file = await openWritten(state);
    expect(() => importWeights(file, squeezenet)).toThrow(
      'the weights do not fit squeezenet1_1: missing fire4.squeeze.conv.bias; unexpected fire10.squeeze.conv.bias, "two\\nlines"; ' +
        'wrong shape fire5.squeeze.norm.bias is [7] instead of [32]',
    );
    const { report, tensors } = importWeights(file, squeezenet, { strict: false });
    expect(report.missing).toEqual(['fire4.squeeze.conv.bias']);
    expect(report.unexpected).toEqual(['fire10.squeeze.conv.bias', 'two\nlines']);
    expect(report.wrongShape).toEqual([{ name: 'fire5.squeeze.norm.bias', file: [7], expected: [32] }]);
    expect([...tensors.keys()]).toEqual(report.loaded);
    expect(report.loaded.length).toBe(state.size - 3);
    expect(formatReport(report).split('\n')).toEqual([
      `squeezenet1_1: ${state.size - 3} tensors loaded`,
      'missing (1): fire4.squeeze.conv.bias',
      'unexpected (2): fire10.squeeze.conv.bias, "two\\nlines"',
      'wrong shape (1): fire5.squeeze.norm.bias is [7] instead of [32]',
    ]);
  });

  test('drops a head only when it is asked to', async () => {
    const state = stateOf(squeezenet, 12);
    const file = await openWritten(state);
    expect(() => importWeights(file, squeezenet)).toThrow(
      'conv10.bias is [12] instead of [365]; its head has 12 classes: ask for 12 classes, or for its head to be dropped',
    );
    expect(importWeights(file, squeezenet, { classes: 12 }).report.loaded.length).toBe(state.size);
    const { report, tensors } = importWeights(file, squeezenet, { dropHead: true });
    expect(report.dropped).toEqual(['conv10.weight', 'conv10.bias']);
    expect([...tensors.keys()]).toEqual([...squeezenet.createExtractor().namedTensors().keys()]);
    expect(formatReport(report)).toContain('dropped with the head (2): conv10.weight, conv10.bias');
  });

  test('reports the layers that a net leaves out of its weights as dropped', async () => {
    const bottom = findArchitecture('resnet50_bottom');
    const state = stateOf(findArchitecture('resnet50'), 7);
    const { report, tensors } = importWeights(await openWritten(state), bottom, { dropHead: true });
    expect([report.missing, report.unexpected, report.wrongShape]).toEqual([[], [], []]);
    expect([...tensors.keys()]).toEqual([...bottom.createExtractor().namedTensors().keys()]);
    expect(report.dropped.length).toBe(state.size - tensors.size);
    expect(report.dropped.every((name) => /^(layer4|fc)\./.test(name))).toBe(true);
    const other = await openWritten(stateOf(findArchitecture('resnet18'), 7));
    expect(() => importWeights(other, bottom, { dropHead: true })).toThrow(
      'do not fit resnet50_bottom: missing',
    );
  });

  test('takes the sizes of a net as options', async () => {
    const densenet = findArchitecture('densenet');
    const options = { growthRate: 4, blocks: [1, 2], stem: 8 };
    const file = await openWritten(hashWeights(densenet.createClassifier(5, options)));
    expect(importWeights(file, densenet, { options, dropHead: true }).report.dropped.length).toBe(2);
    expect(() => importWeights(file, densenet, { dropHead: true })).toThrow(
      'the weights do not fit densenet',
    );
  });

  test('says so where the file is of another net', async () => {
    const file = await openWritten(stateOf(squeezenet, 365));
    expect(() => importWeights(file, findArchitecture('resnet18'))).toThrow(
      /^the weights do not fit resnet18: missing conv1.weight, .* and \d+ more; unexpected .*; it is of another net$/,
    );
  });

  test('knows DataParallel, the old names of DenseNet, and counts of batches', async () => {
    const densenet = findArchitecture('densenet161');
    const shapes = densenet.createClassifier(365).namedTensors();
    const old = [...shapes].map(([name, { shape }]): [string, HostTensor] => {
      const oldName = name.replace(/(denselayer\d+\.(?:norm|conv))([12])/, '$1.$2');
      return [`module.${oldName}`, { shape, data: new Float32Array(shape.reduce((n, size) => n * size, 1)) }];
    });
    const counted: [string, HostTensor] = [
      'module.features.norm0.num_batches_tracked',
      { shape: [], data: Int32Array.of(3) },
    ];
    const { report } = importWeights(await openWritten(new Map([...old, counted])), densenet);
    expect(report.loaded).toEqual([...shapes.keys()]);
    expect(report.ignored).toEqual(['features.norm0.num_batches_tracked']);
    expect(formatReport(report)).toContain('ignored: 1 of num_batches_tracked');
    const twice = [['features.denseblock1.denselayer1.norm1.bias', tensor('x', [96])]] as const;
    const both = new Map([...old.map(([name, t]) => [name.slice(7), t] as const), ...twice]);
    const file = await openWritten(both);
    expect(() => importWeights(file, densenet)).toThrow(
      'two tensors that are features.denseblock1.denselayer1.norm1',
    );
  });

  test("reads Keras' FCNN whatever its layers' numbers began with", async () => {
    const small = findArchitecture('fcnn_small');
    const state = stateOf(small, 3);
    const { tensors } = importWeights(await openWritten(kerasOf(state, 5)), small);
    expect(digests(await readStateDict(tensors))).toEqual(digests(state));
    const one = new Map([['conv2d_1/kernel', tensor('x', [5, 5, 6])]]);
    const odd = await openWritten(one);
    expect(() => importWeights(odd, findArchitecture('fcnn'))).toThrow(
      'block1.conv1.weight is [5, 5, 6] instead of [144, 6, 5, 5]',
    );
  });
});

/** The same weights as Keras would have saved them, its numbers from `first` on. */
function kerasOf(state: ReadonlyMap<string, HostTensor>, first: number): Map<string, HostTensor> {
  const parts = {
    weight: 'gamma',
    bias: 'beta',
    running_mean: 'moving_mean',
    running_var: 'moving_variance',
  };
  const layers = [...new Set([...state.keys()].map((name) => name.slice(0, name.lastIndexOf('.'))))];
  const numbers = (pattern: RegExp) => layers.filter((layer) => pattern.test(layer));
  // The net's own order is the order in which it uses its layers.
  const order = { conv: numbers(/conv\d$/), norm: numbers(/norm/), fc: numbers(/fc\d$/) };
  return new Map(
    [...state].map(([name, { shape, data }]): [string, HostTensor] => {
      const [layer, part] = [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)];
      const norm = order.norm.indexOf(layer);
      if (norm >= 0) {
        return [`batch_normalization_${first + norm}/${parts[part as keyof typeof parts]}`, { shape, data }];
      }
      const [kind, at] = order.fc.includes(layer)
        ? ['dense', order.fc.indexOf(layer)]
        : ['conv2d', order.conv.indexOf(layer)];
      if (part === 'bias') return [`${kind}_${first + at}/bias`, { shape, data }];
      const [outputs = 1, inputs = 1, height = 1, width = 1] = shape;
      const turned = data.slice();
      for (let i = 0; i < data.length; i++) {
        const [x, y] = [i % width, Math.floor(i / width) % height];
        const [input, output] = [
          Math.floor(i / (width * height)) % inputs,
          Math.floor(i / (width * height * inputs)),
        ];
        turned[((y * width + x) * inputs + input) * outputs + output] = data[i] ?? 0;
      }
      const kernel = shape.length === 4 ? [height, width, inputs, outputs] : [inputs, outputs];
      return [`${kind}_${first + at}/kernel`, { shape: kernel, data: turned }];
    }),
  );
}

test('views keep the elements of every width as they are in the file', async () => {
  for (const [dtype, width] of [
    ['U8', 1],
    ['F16', 2],
    ['F32', 4],
    ['F64', 8],
  ] as const) {
    const shape = [2, 3, 4];
    const bytes = Uint8Array.from({ length: 24 * width }, (_, i) => 7 * i);
    const whole: CheckpointTensor = {
      dtype,
      shape,
      readBytes: () => Promise.resolve(bytes.slice()),
      read: () => Promise.reject(new Error('views read bytes')),
    };
    const view = viewOf(whole, { permute: [2, 0, 1], flip: [1] });
    expect(view.shape).toEqual([4, 2, 3]);
    const found = await view.readBytes();
    const expected = Array.from({ length: 24 }, (_, i) => {
      const [a, b, c] = [Math.floor(i / 3) % 2, 2 - (i % 3), Math.floor(i / 6)];
      return [...bytes.subarray(((a * 3 + b) * 4 + c) * width).subarray(0, width)];
    });
    expect([...found]).toEqual(expected.flat());
  }
});

describe('the SqueezeNet of Places365', () => {
  /** The file's first layer alone; the rest is missing. */
  const lasagne = new Map([
    ['conv1.W', tensor('W', [64, 3, 3, 3])],
    ['conv1.b', tensor('b', [64])],
    ['conv1.inv_std', { shape: [2], data: Float32Array.of(1, 0.5) }],
  ]);
  const mean = async () => {
    const values = uniform('mean', 3 * 256 * 256).map((value) => 128 + 100 * value);
    return new Map([[MEAN_IMAGE, await readNpy(bytesSource(encodeNpy(values, [3, 256, 256])))]]);
  };

  test('has its kernels turned round, its channels from BGR, and variances from their roots', async () => {
    const companions = await mean();
    const adapted = squeezenet.adapt(await openWritten(lasagne), companions);
    expect([...adapted.keys()]).toEqual([
      'mean_image',
      'conv1.conv.weight',
      'conv1.conv.bias',
      'conv1.norm.running_var',
    ]);
    const kernels = (await adapted.get('conv1.conv.weight')?.read())?.data ?? [];
    const original = lasagne.get('conv1.W')?.data ?? [];
    // An axis that runs backwards in each of the last three is the whole kernel backwards.
    expect([...kernels.slice(27, 54)]).toEqual([...original.slice(27, 54)].reverse());
    const bytes = await adapted.get('conv1.conv.weight')?.readBytes();
    expect([...new Float32Array(bytes?.buffer ?? new ArrayBuffer(0))]).toEqual([...kernels]);
    const [first = 0, second = 0] = (await adapted.get('conv1.norm.running_var')?.read())?.data ?? [];
    expect([first, second]).toEqual([Math.fround(1 - 1e-4), Math.fround(4 - 1e-4)]);
    const picture = (await adapted.get('mean_image')?.read())?.data ?? [];
    const blue = (await companions.get(MEAN_IMAGE)?.read())?.data ?? [];
    expect(picture[0]).toBe(Math.fround((blue[2 * 65536 + 16 * 256 + 16] ?? 0) / 255));
    expect(picture.at(-1)).toBe(Math.fround((blue[239 * 256 + 239] ?? 0) / 255));
  });

  test('is refused without its mean picture, with the way out', async () => {
    const file = await openWritten(lasagne);
    expect(() => importWeights(file, squeezenet)).toThrow(
      'need the mean picture places365_mean.npy: put it beside them, or choose to go on without it',
    );
    const wrong = await readNpy(bytesSource(encodeNpy(new Float32Array(12), [3, 2, 2])));
    expect(() => squeezenet.adapt(file, new Map([[MEAN_IMAGE, wrong]]))).toThrow(
      'places365_mean.npy is [3, 2, 2] and should be [3, 256, 256]',
    );
  });

  test('finds the mean picture beside the weights', async () => {
    const folder = temporaryFolder();
    const weights = join(folder, 'weights.safetensors');
    expect(await readCompanions(squeezenet, weights)).toEqual(new Map());
    await writeFile(join(folder, MEAN_IMAGE), encodeNpy(new Float32Array(3 * 256 * 256), [3, 256, 256]));
    expect((await readCompanions(squeezenet, weights)).get(MEAN_IMAGE)?.shape).toEqual([3, 256, 256]);
    await writeFile(join(folder, MEAN_IMAGE), 'nothing');
    await expect(readCompanions(squeezenet, weights)).rejects.toThrow(
      /places365_mean.npy: not a .npy file that can be read: it does not begin as one$/,
    );
  });
});

describe('.npy files', () => {
  const npy = (header: string, bytes: number, version = 1) => {
    const size = version === 1 ? 2 : 4;
    const file = new Uint8Array(8 + size + header.length + bytes);
    file.set([0x93, ...new TextEncoder().encode('NUMPY'), version, 0]);
    new DataView(file.buffer).setUint16(8, header.length, true);
    file.set(new TextEncoder().encode(header), 8 + size);
    return bytesSource(file);
  };
  const header = (descr: string, shape: string, fortran = 'False') =>
    `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

  test('are read in every version and shape', async () => {
    const values = uniform('npy', 6);
    const source = bytesSource(encodeNpy(values, [2, 3]));
    expect(await (await readNpy(source)).read()).toEqual({ shape: [2, 3], data: values });
    expect((await readNpy(npy(header('<f8', '(2,)'), 16, 2))).shape).toEqual([2]);
    expect((await readNpy(npy(header('|u1', '()', 'True'), 1))).shape).toEqual([]);
    expect((await readNpy(npy(header('<f4', '(0, 7)'), 0, 3))).shape).toEqual([0, 7]);
  });

  test.each([
    ['another file', bytesSource(new Uint8Array(40)), 'it does not begin as one'],
    ['a short file', bytesSource(new Uint8Array(3)), 'it does not begin as one'],
    ['an unknown version', npy(header('<f4', '(1,)'), 4, 9), 'its version is 9'],
    ['a header behind the end', npy('x'.repeat(9), 0, 2), 'its header is "xxxxxxxxx"'],
    ['objects', npy(header('|O', '(1,)'), 8), 'its elements are "|O"'],
    ['a name of Object', npy(header('toString', '(1,)'), 8), 'its elements are "toString"'],
    ['big-endian numbers', npy(header('>f4', '(1,)'), 4), 'its elements are ">f4"'],
    ['columns first', npy(header('<f4', '(2, 2)', 'True'), 16), 'numpy.ascontiguousarray'],
    ['too few bytes', npy(header('<f4', '(3,)'), 8), 'F32 [3] needs 12 bytes, the file has 8'],
    [
      'a huge shape',
      npy(header('<f8', '(999999999999999, 999999999999999)'), 8),
      'needs 7.999999999999984e+30 bytes',
    ],
    ['no header', npy('{}', 0), 'its header is "{}"'],
  ])('are refused: %s', async (_, source, message) => {
    await expect(readNpy(source)).rejects.toThrow(message);
  });

  test('are refused where the header ends behind the file', async () => {
    const file = new Uint8Array(14);
    file.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, 0xff, 0xff]);
    await expect(readNpy(bytesSource(file))).rejects.toThrow(
      'its header would have 65535 bytes, the file has 14',
    );
  });
});

describe('the names of Places365', () => {
  test('are what follows the third character', () => {
    expect(parseCategories('/a/airfield 0\n/a/apartment_building/outdoor 1\r\n')).toEqual([
      'airfield',
      'apartment_building/outdoor',
    ]);
  });

  test.each([
    ['', 'the list of categories is empty'],
    ['/a/airfield 1\n', 'line 1 of the categories is "/a/airfield 1", expected "/a/airfield 0"'],
    ['/a/airfield 0\nairport 1', 'line 2 of the categories is "airport 1"'],
  ])('are refused in another form: %j', (text, message) => {
    expect(() => parseCategories(text)).toThrow(message);
  });

  const list = '../shared/checkpoints/categories_places365.txt';
  const here = existsSync(list);
  test.skipIf(!here)(
    `are 365 in the published list${here ? '' : ` (skipped: there is no ${list})`}`,
    async () => {
      const names = parseCategories(await readFile(list, 'utf8'));
      expect([names.length, names[232], names[300], names[8]]).toEqual([
        365,
        'mountain',
        'shoe_shop',
        'apartment_building/outdoor',
      ]);
    },
  );
});
