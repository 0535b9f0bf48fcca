/*
 * Kills trainings or preparations at random moments, by signals to npm or the wrapper, to the process that works, or to all at once, and
 * resumes them: node --import ./bin/wgsl.js tools/kill-runs.ts --kills 50 --seed 1 [--command prepare]. After each kill no process may be
 * left and no file be half-written. In the end all files must be those of an undisturbed one, bit for bit. Trains on a small generated
 * data set; prepares --data (default: the one in ../shared). Exits with 1 if anything was wrong. Needs Linux.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeDataset } from '../src/avsc/node/data/synth.ts';
import { runKills, type Kill } from '../test/support/kills.ts';

const { values } = parseArgs({
  options: {
    command: { type: 'string', default: 'train' },
    data: { type: 'string', default: '../shared/data/tau-mini' },
    device: { type: 'string', default: 'software' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});

const TITLES = ['#', 'signal', 'to', 'after s', 'exit', 'gone in s', 'temp', 'its last line before'];
const WIDTHS = [3, 7, 7, 7, 7, 9, 4, 0];
const row = (cells: readonly (string | number)[]): string =>
  cells.map((cell, i) => String(cell).padEnd(WIDTHS[i] ?? 0)).join('  ');

function print({ number, signal, target, after, end, goneIn, temporaries, during, problems }: Kill): void {
  const gone = goneIn === null ? 'never' : goneIn.toFixed(2);
  console.log(row([number, signal, target, after.toFixed(2), end, gone, temporaries, during.slice(0, 70)]));
  for (const problem of problems) console.log(`    ${problem}`);
}

const { command } = values;
if (command !== 'train' && command !== 'prepare')
  throw new Error(`--command is train or prepare, not ${command}`);
const folder = await mkdtemp(join(tmpdir(), 'wavelight-kill-runs-'));
try {
  const data = command === 'prepare' ? resolve(values.data) : join(folder, 'data');
  if (command === 'train') await makeDataset(data, { train: 2, evaluate: 1, seconds: 2 });
  console.log(row(TITLES));
  const { kills, compared, seconds, problems } = await runKills({
    command,
    folder,
    data,
    device: values.device,
    epochs: 8,
    kills: Number(values.kills),
    seed: Number(values.seed),
    onKill: print,
  });
  console.log(
    `${command}: ${kills.length} kills, ${compared} came to their end and were compared with an undisturbed one of ${seconds.toFixed(1)} s`,
  );
  for (const problem of problems) console.log(problem);
  console.log(problems.length === 0 ? 'nothing was wrong' : `${problems.length} things were wrong`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
