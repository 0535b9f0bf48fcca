import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckpointFile } from '../../../../src/nn/checkpoint/checkpoint.ts';
import { openCheckpoint } from '../../../../src/nn/checkpoint/open.ts';
import { writeSafetensors } from '../../../../src/nn/checkpoint/safetensors/file.ts';
import { bytesSource } from '../../../../src/nn/checkpoint/source.ts';
import { uniform } from '../../../support/hash.ts';
import { serveFiles, type FileServer } from '../../../support/file_server.ts';
import { writeKerasLayers } from '../../../support/keras_writer.ts';
import { joined, writeTorchLegacy, writeTorchZip } from '../../../support/torch_writer.ts';

/** Names and shapes of 120 tensors, some large, most small, 24 MB together. */
const shapes = Array.from({ length: 120 }, (_, i): [string, readonly number[]] => [
  `layer${i}`,
  i % 10 === 0 ? [512, 1000 + i] : [1 + i],
]);
const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const tensors = new Map(
  shapes.map(([name, shape]) => [name, { shape, data: Float32Array.from(uniform(name, count(shape))) }]),
);
const entries = [...tensors].map(([name, tensor]) => ({ name, ...tensor }));

const FORMATS: readonly (readonly [
  name: string,
  most: number,
  make: () => Uint8Array | Promise<Uint8Array>,
])[] = [
  ['safetensors', 6, () => writeSafetensors(tensors)],
  ['torch-zip', 8, () => joined(writeTorchZip(entries))],
  ['torch-legacy', 6, () => joined(writeTorchLegacy(entries))],
  [
    'keras-hdf5',
    30,
    () => writeKerasLayers(Object.fromEntries([...tensors].map(([name, w]) => [name, { w }]))),
  ],
];

type Way = (file: CheckpointFile) => Promise<Uint8Array[]>;
const inOrder: Way = async ({ tensors }) => {
  const read: Uint8Array[] = [];
  for (const tensor of tensors.values()) read.push(await tensor.readBytes());
  return read;
};
const atOnce: Way = ({ tensors }) => Promise.all([...tensors.values()].map((tensor) => tensor.readBytes()));

describe('a checkpoint on a server', () => {
  let server: FileServer;
  beforeAll(async () => {
    server = await serveFiles();
  });
  afterAll(() => server.close());

  it.each(FORMATS)('gives the bits of a %s on disk, by few requests', async (format, most, make) => {
    const bytes = await make();
    const local = await openCheckpoint(bytesSource(bytes));
    const want = await inOrder(local);
    expect(want.length).toBe(120);
    for (const noRanges of [false, true]) {
      server.files.set(format, { bytes, noRanges });
      for (const [way, read] of Object.entries({ inOrder, atOnce })) {
        server.reset();
        const seen: number[] = [];
        const file = await openCheckpoint(server.url + format, {
          onProgress: ({ loaded, total }) => {
            expect(total).toBe(bytes.length);
            seen.push(loaded);
          },
        });
        const opened = server.counts().requests;
        expect([file.format, [...file.tensors.keys()]]).toEqual([format, [...local.tensors.keys()]]);
        const got = await read(file);
        expect(got.every((part, i) => Buffer.compare(part, want[i] as Uint8Array) === 0)).toBe(true);
        const { requests, bytes: sent } = server.counts();
        console.log(
          `${format} of ${bytes.length} bytes, ${noRanges ? 'whole' : 'by ranges'}, ${way}: ${opened} requests to open, ${requests} in all, ${sent} bytes`,
        );
        expect(requests).toBeLessThanOrEqual(noRanges ? 1 : most);
        expect(sent).toBeLessThan(1.02 * bytes.length + 2 ** 18);
        expect(seen).toEqual(seen.toSorted((a, b) => a - b));
        expect(seen.at(-1)).toBeGreaterThan(0.95 * bytes.length);
      }
    }
  });

  it('reads a small part of a large file by a small part of its bytes', async () => {
    const bytes = writeSafetensors(tensors);
    server.files.set('part', { bytes });
    server.reset();
    const file = await openCheckpoint(new URL('part', server.url));
    const tensor = await file.tensors.get('layer111')?.read();
    expect(tensor?.data).toEqual(tensors.get('layer111')?.data);
    const { requests, bytes: sent } = server.counts();
    console.log(`one small tensor of ${bytes.length} bytes: ${requests} requests, ${sent} bytes`);
    expect(requests).toBe(2);
    expect(sent).toBeLessThan(2 ** 20);
  });

  it('fetches a small file by two requests at most', async () => {
    const small = new Map([...tensors].filter(([, { shape }]) => shape.length === 1));
    const padded = new Map([
      ...small,
      ['pad', { shape: [300_000], data: new Float32Array(300_000).fill(0.5) }] as const,
    ]);
    const list = [...padded].map(([name, tensor]) => ({ name, ...tensor }));
    for (const bytes of [
      writeSafetensors(padded),
      joined(writeTorchZip(list)),
      joined(writeTorchLegacy(list)),
    ]) {
      server.files.set('small', { bytes });
      server.reset();
      await atOnce(await openCheckpoint(`${server.url}small?query=1#part`));
      expect(server.counts().requests).toBe(2);
      expect(server.counts().bytes).toBe(bytes.length);
    }
  });
});
