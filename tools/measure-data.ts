// Measures the data side on a data set: what storing a clip, deriving its inputs, making extra clips and loading batches take.
//
//   npx node --import ./bin/wgsl.js tools/measure-data.ts DATASET CACHE [THREADS]
//
// DATASET is in TAU's layout, CACHE a folder that does not exist yet. Times include the start of the threads.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SoundOperationName } from '../src/avsc/augment/sound/index.ts';
import { readSplit } from '../src/avsc/node/data/dataset.ts';
import { makeExtras } from '../src/avsc/node/data/extras.ts';
import { createLoader, type Sources } from '../src/avsc/node/data/loader.ts';
import { prepareClips, type PrepareOptions } from '../src/avsc/node/data/prepare.ts';

const [data, cache, threads = '1'] = process.argv.slice(2);
if (data === undefined || cache === undefined || existsSync(cache)) {
  throw new Error('name a data set and a folder that does not exist yet');
}
const workers = Number(threads);
const clips = [...(await readSplit(data, 'train')), ...(await readSplit(data, 'evaluate'))];

/** Bytes of a folder's files whose names contain a text. */
function bytesOf(folder: string, text: string): number {
  const names = readdirSync(folder).filter((name) => name.includes(text));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

async function measure(
  what: string,
  count: number,
  work: () => Promise<unknown>,
  size: () => number,
): Promise<void> {
  const start = performance.now();
  const before = process.cpuUsage();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${what}: ${(count / seconds).toFixed(1)} clips/s by ${workers} threads, ` +
      `${(((user + system) / 1e6 / count) * 1000).toFixed(0)} ms of a core and ${(size() / count / 1e6).toFixed(2)} MB each`,
  );
}

const prepare = (options: Partial<PrepareOptions>): ReturnType<typeof prepareClips> =>
  prepareClips(data, clips, { cache, workers, ...options });

await measure(
  'store',
  clips.length,
  () => prepare({}),
  () => bytesOf(cache, '.clip'),
);
for (const input of ['logmel', 'openl3'] as const)
  await measure(
    input,
    clips.length,
    () => prepare({ inputs: [input], verify: false }),
    () => bytesOf(cache, input),
  );
await measure(
  'frames of 48',
  clips.length,
  () => prepare({ inputs: ['frames'], size: 48, verify: false }),
  () => bytesOf(cache, 'frames'),
);
await measure(
  'verifying the store',
  clips.length,
  () => prepare({ inputs: ['waveform'] }),
  () => 0,
);

const { clips: prepared } = await prepare({ inputs: ['logmel', 'openl3', 'frames'] });
for (const op of ['pitch', 'stretch', 'noise', 'mix'] as const satisfies readonly SoundOperationName[])
  await measure(
    `extra clips by ${op}, with both features`,
    prepared.length,
    () => makeExtras(prepared, { [op]: 1 }, 1, { cache, workers }),
    () => bytesOf(join(cache, 'extras'), `${op}-1`),
  );

const mixup = { share: 0.2, ratio: { alpha: 0.4 } } as const;
const SOURCES: readonly Sources[] = [
  { audio: 'logmel', video: 'frames' },
  { audio: 'logmel', video: 'nothing' },
  { audio: 'openl3', video: 'nothing' },
  { audio: 'waveform', video: 'nothing' },
  { audio: 'nothing', video: 'frames' },
];
for (const sources of SOURCES) {
  const options = { batchSize: Math.min(32, prepared.length), shuffle: { seed: 1 }, size: 224, mixup };
  const loader = await createLoader(prepared, { ...options, sources });
  let rows = 0;
  let [start, before] = [performance.now(), process.cpuUsage()];
  for (let epoch = 0; performance.now() - start < 3000; epoch++) {
    for await (const { rowSamples } of loader.batches(epoch))
      rows += rowSamples.filter((row) => row !== null).length;
    // The first epoch brings the files into memory.
    if (epoch === 0) [rows, start, before] = [0, performance.now(), process.cpuUsage()];
  }
  const { user, system } = process.cpuUsage(before);
  const rate = rows / ((performance.now() - start) / 1000);
  const perCore = rows / ((user + system) / 1e6);
  const names = Object.values(sources).filter((source) => typeof source === 'string' && source !== 'nothing');
  console.log(
    `loading ${names.join(' and ')}: ${rate.toFixed(0)} rows/s, ${perCore.toFixed(0)} per second of a core`,
  );
}
