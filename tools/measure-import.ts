/*
 * Measures the peak memory of importing a big checkpoint: node tools/measure-import.ts [--megabytes 1024] [--folder /tmp]. Writes
 * files of random tensors in each format, imports each in its own process (opens it, writes it as safetensors piece by piece),
 * and compares the bytes. Exit code 1 above 400 MB.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint } from '../src/nn/checkpoint/open.ts';
import { safetensorsPieces } from '../src/nn/checkpoint/safetensors/file.ts';
import { openFileSource } from '../src/node/file-source.ts';
import { writeFileAtomic } from '../src/node/files.ts';
import { uniform } from '../test/support/hash.ts';
import { writeTorchLegacy, writeTorchZip, type TorchEntry } from '../test/support/torch_writer.ts';

const MEGABYTE = 2 ** 20;
const MOST_MEGABYTES = 400;
/** Size of a tensor. The largest of the nets here has 10 MB (a 3x3 convolution of 512 channels), the head of a big net 100 MB. */
const TENSOR_MEGABYTES = 64;

async function importFile(from: string, to: string): Promise<void> {
  const source = await openFileSource(from);
  const { tensors, metadata } = await openCheckpoint(source);
  await writeFileAtomic(to, safetensorsPieces(tensors, metadata));
  await source.close();
  console.log(process.resourceUsage().maxRSS / 1024);
}

async function hashOf(path: string, start: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { start })) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '1024' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  const folder = await mkdtemp(join(values.folder, 'wavelight-import-'));
  const data = new Float32Array(uniform('measure', (TENSOR_MEGABYTES * MEGABYTE) / 4));
  const count = Math.max(1, Math.round(Number(values.megabytes) / TENSOR_MEGABYTES));
  const entries = Array.from({ length: count }, (_, i): TorchEntry => ({
    name: `layer${i}.weight`,
    shape: [data.length],
    data,
  }));
  const bytes = new Uint8Array(data.buffer);
  const tensors = new Map(
    entries.map(({ name, shape }) => [
      name,
      { dtype: 'F32', shape, readBytes: () => Promise.resolve(bytes) } as const,
    ]),
  );
  const writers = {
    'torch-legacy': () => writeTorchLegacy(entries),
    'torch-zip': () => writeTorchZip(entries),
    safetensors: () => safetensorsPieces(tensors),
  };
  const rows: unknown[] = [];
  try {
    const reference = join(folder, 'reference');
    await writeFileAtomic(reference, safetensorsPieces(tensors));
    const elements = await hashOf(reference, (await stat(reference)).size - count * bytes.length);
    await rm(reference);
    for (const [format, pieces] of Object.entries(writers)) {
      const [from, to] = [join(folder, format), join(folder, 'imported')];
      await writeFileAtomic(from, pieces());
      const start = performance.now();
      const peak = Number(
        execFileSync(process.execPath, [import.meta.filename, '--child', from, to], { encoding: 'utf8' }),
      );
      const seconds = (performance.now() - start) / 1000;
      const { size } = await stat(to);
      const same = (await hashOf(to, size - count * bytes.length)) === elements;
      rows.push({
        format,
        megabytes: Math.round(size / MEGABYTE),
        'peak MB': Math.round(peak),
        seconds: Number(seconds.toFixed(1)),
        same,
      });
      if (peak > MOST_MEGABYTES || !same) process.exitCode = 1;
      await rm(from);
      await rm(to);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  console.table(rows);
}

const [, , child, from, to] = process.argv;
if (child === '--child' && from !== undefined && to !== undefined) await importFile(from, to);
else await main();
