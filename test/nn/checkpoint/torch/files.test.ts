import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { CheckpointFile } from '../../../../src/nn/checkpoint/checkpoint.ts';
import { bytesSource } from '../../../../src/nn/checkpoint/source.ts';
import { readTorchLegacy } from '../../../../src/nn/checkpoint/torch/legacy.ts';
import { readTorchZip } from '../../../../src/nn/checkpoint/torch/zip.ts';
import { readJson } from '../../../support/oracle.ts';

interface Row {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly sha256: string;
}

interface Case {
  readonly file: string;
  readonly format: 'torch-legacy' | 'torch-zip';
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly Row[];
}

const fixtures = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'checkpoints');
const { cases } = readJson('checkpoints/cases.json') as { cases: readonly Case[] };
const real = join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared', 'checkpoints');
const { files } = readJson('checkpoints/real.json') as { files: readonly Pick<Case, 'file' | 'tensors'>[] };

async function rowsOf({ tensors }: CheckpointFile): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, tensor] of tensors) {
    const bytes = await tensor.readBytes();
    // The bytes are the caller's, with nothing else in their buffer.
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    rows.push({ name, shape: tensor.shape, dtype: tensor.dtype, sha256 });
  }
  return rows;
}

describe('what PyTorch 1.13 wrote is read bit for bit', () => {
  test.each(cases)('$file', async ({ file, format, metadata, tensors }) => {
    const source = bytesSource(readFileSync(join(fixtures, file)));
    const checkpoint = await (format === 'torch-zip' ? readTorchZip : readTorchLegacy)(source);
    expect(checkpoint.format).toBe(format);
    expect(await rowsOf(checkpoint)).toEqual(tensors);
    expect(Object.fromEntries(checkpoint.metadata)).toEqual(metadata);
  });
});

describe.skipIf(!existsSync(real))('real files (skipped where ../shared/checkpoints is absent)', () => {
  test.each(files)('$file equals what torch.load gives', async ({ file, tensors }) => {
    const bytes = readFileSync(join(real, file));
    const rows = await rowsOf(await readTorchLegacy(bytesSource(bytes)));
    expect(rows).toEqual(tensors);
    console.log(`${file}: ${rows.length} tensors equal bit for bit`);
  });
});

it('reads no more of a file than its directory to open it, and no more than a tensor spans to read one', async () => {
  const bytes = readFileSync(join(fixtures, 'views-legacy.pt'));
  const ranges: [number, number][] = [];
  const inner = bytesSource(bytes);
  const checkpoint = await readTorchLegacy({
    size: inner.size,
    read: (begin, end) => {
      ranges.push([begin, end]);
      return inner.read(begin, end);
    },
  });
  ranges.length = 0;
  await checkpoint.tensors.get('row')?.read();
  await checkpoint.tensors.get('column')?.read();
  await checkpoint.tensors.get('empty_view')?.read();
  expect(ranges.map(([begin, end]) => end - begin)).toEqual([10 * 4, (5 * 10 + 1) * 4]);
});
