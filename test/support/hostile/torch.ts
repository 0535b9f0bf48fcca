import { deflateRawSync } from 'node:zlib';
import { bytesSource } from '../../../src/nn/checkpoint/source.ts';
import { readZipEntry } from '../../../src/nn/checkpoint/zip/entry.ts';
import { readZipDirectory } from '../../../src/nn/checkpoint/zip/directory.ts';
import { joined, writeTorchLegacy, writeTorchZip, type TorchEntry } from '../torch_writer.ts';
import { pickle } from '../torch_writer_pickle.ts';
import { writeZip, type ZipEntry } from '../torch_writer_zip.ts';
import { mutatePickle, PICKLES } from './pickle.ts';
import { below, damage, edgeNumber, pick, setNumber, splice, type Random } from './random.ts';

const values = Float32Array.from({ length: 24 }, (_, i) => i - 3);
const entries: TorchEntry[] = [
  { name: 'module.conv.weight', shape: [2, 3, 2], data: values },
  { name: 'module.conv.bias', shape: [3], strides: [2], offset: 1, data: values, storage: 'shared' },
  { name: 'module.transposed', shape: [4, 2], strides: [1, 4], data: values, storage: 'shared' },
  { name: 'module.steps', shape: [], data: new BigInt64Array([7n]), dtype: 'I64' },
  { name: 'module.half', shape: [2], data: new Uint16Array([0x3c00, 0x4000]), dtype: 'F16' },
  { name: 'module.none', shape: [0, 3], data: new Float32Array(0) },
];

const legacy = [
  joined(writeTorchLegacy(entries)),
  joined(
    writeTorchLegacy(entries, {
      python2: true,
      rebuild: '_rebuild_tensor',
      location: 'cuda:0',
      around: 'state_dict',
    }),
  ),
  joined(writeTorchLegacy(entries, { protocol: 4, parameter: true })),
];
const zips = [
  joined(writeTorchZip(entries)),
  joined(writeTorchZip(entries, { deflate: true, zip64: true, protocol: 4 })),
  joined(writeTorchZip(entries, { descriptors: true, littleEndian: false, around: 'model' })),
];

/** The five pickles of a legacy file, and what follows them. */
const HEAD = joined([pickle(0x1950a86a20f9469cfc6cn), pickle(1001), pickle(new Map())]);

export const LEGACY_HANDMADE: readonly (() => Uint8Array)[] = [
  ...PICKLES.map((object) => () => joined([HEAD, object(), pickle([])])),
  ...[2n ** 63n - 1n, 2n ** 63n, -1n].map((count) => () => {
    const file = joined(writeTorchLegacy(entries.slice(0, 1)));
    setNumber(file, file.length - values.byteLength - 8, 8, count);
    return file;
  }),
  ...shapes().map((entry) => () => joined(writeTorchLegacy([entry]))),
  // Many tensors of one storage.
  () => joined(writeTorchLegacy(Array.from({ length: 2000 }, (_, i) => sharing(i)))),
  // One number, a hundred million times.
  () =>
    joined(
      writeTorchLegacy([{ name: 'a', shape: [10_000, 10_000], strides: [0, 0], data: new Float32Array(1) }]),
    ),
];

function shapes(): TorchEntry[] {
  const data = new Float32Array(4);
  const ones = new Array<number>(50_000).fill(1);
  return [
    { name: 'a', shape: [2 ** 31, 2 ** 31], data },
    { name: 'a', shape: [2 ** 52, 2 ** 52, 0], data },
    { name: 'a', shape: [2], strides: [2 ** 52], data },
    { name: 'a', shape: [2], strides: [-1], offset: 1, data },
    { name: 'a', shape: [-2, -2], data },
    { name: 'a', shape: [4], offset: 2 ** 52, data },
    { name: 'a', shape: ones, strides: ones, data },
    { name: '../../a', shape: [4], storage: '../../etc/passwd', data },
  ];
}

function sharing(i: number): TorchEntry {
  return { name: `t${i}`, shape: [250_000], data: new Float32Array(i === 0 ? 250_000 : 0), storage: 'one' };
}

const inside = await Promise.all(
  zips.map(async (zip) => {
    const source = bytesSource(zip);
    const files = [...(await readZipDirectory(source)).values()];
    return Promise.all(
      files.map(async (entry): Promise<ZipEntry> => ({
        name: entry.name,
        data: await readZipEntry(source, entry),
      })),
    );
  }),
);

const zipOf = (...files: readonly ZipEntry[]): Uint8Array => joined(writeZip(files));
const [files = []] = inside;
const object = files[0] ?? { name: 'archive/data.pkl', data: new Uint8Array(0) };
const changed = (name: string, claim: NonNullable<ZipEntry['claim']>, deflate = false): ZipEntry[] =>
  files.map((file) => (file.name.endsWith(name) ? { ...file, claim, deflate } : file));
const zeros = (): Uint8Array<ArrayBuffer> => new Uint8Array(64 * 2 ** 20);

export const ZIP_HANDMADE: readonly (() => Uint8Array)[] = [
  ...PICKLES.map(
    (data) => () =>
      zipOf(
        { name: 'archive/data.pkl', data: data() },
        { name: 'archive/version', data: new Uint8Array([51]) },
      ),
  ),
  // Bombs: one storage, the pickle itself, a name, and a bomb within a bomb.
  () => zipOf(object, { name: 'archive/data/0', data: zeros(), deflate: true }),
  () => zipOf({ name: 'archive/data.pkl', data: zeros(), deflate: true }),
  () => zipOf(object, { name: 'archive/byteorder', data: zeros(), deflate: true }),
  () => zipOf(object, { name: 'archive/data/0', data: deflateRawSync(zeros()), deflate: true }),
  () => joined(writeTorchZip([{ name: 'a', shape: [2 ** 24], data: zeros() }], { deflate: true })),
  // All storages at the place of the pickle, and at places beyond the file.
  () => zipOf(...files.map((file) => ({ ...file, claim: { offset: 0 } }))),
  () => zipOf(...files.map((file) => ({ ...file, claim: { offset: 2 ** 31 } }))),
  () => zipOf(...changed('data/0', { size: 2 ** 31, compressedSize: 2 ** 31 })),
  () => zipOf(...changed('data/0', { size: 2 ** 32 - 1 }, true)),
  () => zipOf(...changed('data.pkl', { method: 99 })),
  () => zipOf(...changed('data.pkl', { flags: 1 })),
  () => zipOf(...changed('data.pkl', { localName: 'archive/other.pkl' })),
  () => zipOf(...changed('data.pkl', { size: 0 })),
  () => zipOf(...files, ...files),
  ...[
    '../data.pkl',
    '/archive/data.pkl',
    'archive\\data.pkl',
    'C:/data.pkl',
    'a/../data.pkl',
    'archive/data.pkl\0',
  ].map((name) => () => zipOf({ ...object, name })),
  () =>
    zipOf(
      ...Array.from({ length: 5000 }, (_, i) => ({ name: `archive/data/${i}`, data: new Uint8Array(0) })),
    ),
  () => zipOf(),
];

/** The pickle's opcodes, the storages' counts, or any bytes changed. */
export function mutateLegacy(random: Random): Uint8Array {
  const valid = pick(random, legacy);
  if (random() < 0.4) return damage(valid, random);
  const mutated = mutatePickle(valid.subarray(15), random);
  return joined([valid.subarray(0, 15), mutated]);
}

const SIGNATURES = [0x02014b50, 0x04034b50, 0x06054b50, 0x06064b50, 0x07064b50, 0x08074b50];

/** The pickle inside, the fields of the records, names, methods, or any bytes changed. */
export function mutateZip(random: Random): Uint8Array {
  const kind = random();
  if (kind < 0.25) return damage(pick(random, zips), random);
  if (kind < 0.6) return changeRecords(pick(random, zips), random);
  const mutated = pick(random, inside).map((file) => {
    const chance = random();
    const deflate = random() < 0.3;
    if (file.name.endsWith('.pkl') && chance < 0.8)
      return { ...file, data: mutatePickle(file.data, random), deflate };
    if (chance < 0.1) return { ...file, claim: lie(random), deflate };
    if (chance < 0.15) return { ...file, data: damage(file.data, random), deflate };
    return { ...file, deflate };
  });
  if (random() < 0.1) mutated.push(pick(random, mutated));
  const options = { zip64: random() < 0.3, descriptors: random() < 0.2, alignment: pick(random, [1, 64]) };
  return joined(writeZip(mutated, options));
}

function lie(random: Random): NonNullable<ZipEntry['claim']> {
  const value = Number(BigInt.asUintN(32, edgeNumber(random, 2000)));
  return pick(random, [
    { size: value },
    { compressedSize: value },
    { offset: value },
    { method: value & 15 },
    { flags: value & 0xffff },
  ]);
}

function changeRecords(valid: Uint8Array, random: Random): Uint8Array {
  const bytes = valid.slice();
  const view = new DataView(bytes.buffer);
  const records: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at++)
    if (SIGNATURES.includes(view.getUint32(at, true))) records.push(at);
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const at = pick(random, records) + 4 + 2 * below(random, 26);
    setNumber(bytes, at, pick(random, [2, 4, 8]), edgeNumber(random, bytes.length));
  }
  return random() < 0.05 ? splice(bytes, below(random, bytes.length), 4, new Uint8Array(0)) : bytes;
}
