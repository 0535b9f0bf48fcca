// What augmentation is worth on the made data set with few locations: the rows of Table 3 by several seeds.
//   node --import ./bin/wgsl.js tools/augmentation-study.ts [--out runs/augmentation] [--seeds 1,2,3] [--train 2] [--evaluate 8] [--seconds 3]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeDataset } from '../src/avsc/node/data/synth.ts';
import { findCacheFolder } from '../src/avsc/node/data/cache-folder.ts';
import { reproduceTable } from '../src/avsc/node/tables/reproduce.ts';
import { loadTable } from '../src/avsc/node/tables/table.ts';
import { Device } from '../src/node.ts';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'runs/augmentation' },
    seeds: { type: 'string', default: '1,2,3' },
    train: { type: 'string', default: '2' },
    evaluate: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '3' },
  },
});
const [train, evaluate, seconds] = [values.train, values.evaluate, values.seconds].map(Number) as [
  number,
  number,
  number,
];
const cache = await findCacheFolder();
const data = join(cache, `made-${train}-${evaluate}-${seconds}`);
await makeDataset(data, { train, evaluate, seconds });
const device = await Device.create();
const results = await reproduceTable(await loadTable('augmentation'), {
  data,
  out: values.out,
  scale: 'full',
  rows: null,
  seeds: values.seeds.split(',').map(Number),
  cache: join(cache, 'clips'),
  weightsFolder: 'weights',
  device,
  signal: new AbortController().signal,
  events: {},
  onRowEnd: ({ label, accuracies, status, note }) => console.log(label, accuracies, status, note),
});
const percent = (value: number): string => (100 * value).toFixed(1);
console.log('| augmentation | accuracy, mean | by seed | spread (standard deviation) | log loss |');
console.log('| --- | --- | --- | --- | --- |');
for (const { label, accuracy, accuracies, logLoss } of results.rows) {
  const mean = accuracy ?? NaN;
  const variance =
    accuracies.reduce((sum, a) => sum + (a - mean) ** 2, 0) / Math.max(1, accuracies.length - 1);
  console.log(
    `| ${label} | ${percent(mean)} % | ${accuracies.map(percent).join(', ')} | ${percent(Math.sqrt(variance))} | ${(logLoss ?? NaN).toFixed(3)} |`,
  );
}
await device.destroy();
