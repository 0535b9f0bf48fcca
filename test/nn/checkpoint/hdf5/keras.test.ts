import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CheckpointFile } from '../../../../src/nn/checkpoint/checkpoint.ts';
import { readKeras } from '../../../../src/nn/checkpoint/hdf5/keras.ts';
import { openCheckpoint } from '../../../../src/nn/checkpoint/open.ts';
import { bytesSource, type ByteSource } from '../../../../src/nn/checkpoint/source.ts';
import { writeKeras } from '../../../support/keras_writer.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/checkpoints');
const PUBLISHED = join(import.meta.dirname, '../../../../../shared/checkpoints/smallfcnn-model-0.9618.hdf5');

type Described = Readonly<Record<string, { dtype: string; shape: readonly number[]; sha256: string }>>;

/** What h5py reads from each file. */
const expected = JSON.parse(readFileSync(join(FIXTURES, 'keras.json'), 'utf8')) as Readonly<
  Record<string, Described>
>;

async function describeFile(file: CheckpointFile): Promise<Described> {
  const tensors = await Promise.all(
    [...file.tensors].map(async ([name, tensor]) => {
      const sha256 = createHash('sha256')
        .update(await tensor.readBytes())
        .digest('hex');
      return [name, { dtype: tensor.dtype, shape: tensor.shape, sha256 }] as const;
    }),
  );
  return Object.fromEntries(tensors);
}

const fixture = (name: string): ByteSource => bytesSource(readFileSync(join(FIXTURES, name)));

describe('readKeras', () => {
  it.each(['keras_types.h5', 'keras_texts.h5', 'keras_latest.h5'])(
    'reads %s as h5py does, bit by bit',
    async (name) => {
      const file = await openCheckpoint(fixture(name));
      expect(file.format).toBe('keras-hdf5');
      expect(await describeFile(file)).toEqual(expected[name]);
      expect([...file.tensors.keys()]).toEqual(Object.keys(expected[name] ?? {}));
      expect(Object.fromEntries(file.metadata)).toEqual({ keras_version: '2.2.4', backend: 'tensorflow' });
    },
  );

  it.skipIf(!existsSync(PUBLISHED))(
    `reads the published small FCNN as h5py does${existsSync(PUBLISHED) ? '' : ': skipped, ../shared/checkpoints is absent'}`,
    async () => {
      const file = await openCheckpoint(bytesSource(readFileSync(PUBLISHED)));
      const found = await describeFile(file);
      expect(found).toEqual(expected['smallfcnn-model-0.9618.hdf5']);
      const parameters = Object.values(found).map(({ shape }) =>
        shape.reduce((product, n) => product * n, 1),
      );
      expect(parameters.reduce((sum, n) => sum + n)).toBe(234_166);
      expect(Object.keys(found).filter((name) => /optimizer|training/.test(name))).toEqual([]);
    },
  );

  // Few links lie in the group itself, many in a heap: in one block, or in blocks of blocks.
  for (const format of ['earliest', 'v108', 'latest'] as const) {
    it.each([1, 40, 1500])(`reads what libhdf5 writes as ${format} with %i layers`, async (count) => {
      const layers = Array.from({ length: count }, (_, i) => `layer_with_a_name_${i}`);
      const file = await readKeras(bytesSource(await writeKeras(layers, format)));
      expect(file.tensors.size).toBe(count);
      for (const i of new Set([0, Math.floor(count / 2), count - 1])) {
        expect(await file.tensors.get(`layer_with_a_name_${i}/w`)?.read()).toEqual({
          shape: [2],
          data: new Float32Array([i, i + 0.5]),
        });
      }
    });
  }

  const refused: [string, string][] = [
    ['soft_link', 'is a link by path or into another file, which is not followed'],
    ['external_link', 'is a link by path or into another file, which is not followed'],
    ['external_data', 'keeps its elements in other files, which are not read'],
    ['virtual', 'has layout 3 (3 is put together from other data sets), which is not read'],
    ['never_written', 'was never written'],
    ['bomb', 'would grow from 65264 to 67108864 bytes'],
    ['committed_type', 'is shared between objects, which is not read'],
    ['lzf', 'is packed by filter lzf: write it again with gzip, or without a filter'],
    ['fletcher32', 'is packed by filter fletcher32: write it again with gzip'],
    ['texts', 'holds texts, which are not read as a tensor'],
    ['compound', 'holds compounds, which are not read as a tensor'],
    ['unsigned_long', 'holds 64-bit unsigned integers, which are not read'],
    ['group', 'is no data set'],
  ];
  it.each(refused)('refuses %s', async (name, message) => {
    await expect(readKeras(fixture(`keras_refused_${name}.h5`))).rejects.toThrow(message);
  });

  it('reads structure alone when it opens, and of a tensor what it needs', async () => {
    const bytes = readFileSync(join(FIXTURES, 'keras_types.h5'));
    const memory = bytesSource(bytes);
    let read = 0;
    const source: ByteSource = {
      size: memory.size,
      read: (begin, end) => {
        read += end - begin;
        return memory.read(begin, end);
      },
    };
    const file = await readKeras(source);
    read = 0;
    await file.tensors.get('plain/kernel')?.readBytes();
    expect(read).toBe(3 * 3 * 2 * 4 * 4);
  });

  it('says where a file is cut', async () => {
    const bytes = readFileSync(join(FIXTURES, 'keras_types.h5'));
    for (let length = 8; length < bytes.length; length += 97) {
      const part = bytes.subarray(0, length);
      await expect(readKeras(bytesSource(part))).rejects.toThrow(/^not a readable HDF5 file: /);
    }
    await expect(readKeras(bytesSource(bytes.subarray(0, 20_000)))).rejects.toThrow(
      `it should have ${bytes.length} bytes but is cut short at 20000`,
    );
  });

  it('says so where HDF5 is not of Keras 2', async () => {
    await expect(readKeras(bytesSource(await writeKeras(null, 'earliest')))).rejects.toThrow(
      'the file is HDF5, but not of Keras: it has no layer_names',
    );
  });
});
