/*
 * Feeds the checkpoint readers with hostile files: node tools/fuzz-checkpoints.ts --count 200000 --seed 1 [--format torch-zip].
 * Each input must be read, or refused by one clear sentence, within 2 s of processor time and 256 MB. Inputs run in child
 * processes with little memory, which are killed if they do not answer. Offending inputs are saved to files, and the exit code
 * is then 1.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CheckpointFormat } from '../src/nn/checkpoint/checkpoint.ts';
import { FORMATS, hostileInput, outcomeOf } from '../test/support/hostile/inputs.ts';

const MOST_SECONDS = 2;
const MOST_MEGABYTES = 256;
/** Wall-clock time after which a child counts as hung. It is generous, because the machine may be busy. */
const PATIENCE_SECONDS = 20;
const BATCH = 2500;
/** Offending inputs that are saved for each format. */
const MOST_KEPT = 20;

interface Batch {
  readonly format: CheckpointFormat;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

interface Tally {
  inputs: number;
  read: number;
  seconds: number;
  megabytes: number;
  violations: number;
  readonly sentences: Map<string, number>;
}

interface Report {
  readonly index: number;
  readonly seconds: number;
  readonly megabytes: number;
  readonly read: boolean;
  readonly error?: string;
  readonly complaint?: string;
}

const MEGABYTE = 2 ** 20;

/** Runs a batch in a child process and reports each input. */
async function runBatch({ format, seed, from, to }: Batch): Promise<void> {
  for (let index = from; index < to; index++) {
    const bytes = hostileInput(format, seed, index);
    if (process.memoryUsage().external > 64 * MEGABYTE) globalThis.gc?.();
    const [before, peak] = [process.memoryUsage.rss(), process.resourceUsage().maxRSS];
    const start = process.cpuUsage();
    const outcome = await outcomeOf(bytes);
    const { user, system } = process.cpuUsage(start);
    const highest = process.resourceUsage().maxRSS;
    // The process's peak is about this input only if it rose.
    const megabytes = highest > peak ? (highest * 1024 - before) / MEGABYTE : 0;
    const report: Report = { index, seconds: (user + system) / 1e6, megabytes, ...outcome };
    await new Promise<void>((resolve) => process.send?.(report, () => resolve()) ?? resolve());
  }
}

/** Runs a batch in a child, and continues after an input that ends the child. */
async function superviseBatch(
  batch: Batch,
  tally: Tally,
  keep: (index: number, why: string) => void,
): Promise<void> {
  for (let from = batch.from; from < batch.to;) {
    from = await new Promise<number>((resolve) => {
      let next = from;
      const child = fork(import.meta.filename, ['--child', JSON.stringify({ ...batch, from })], {
        execArgv: ['--expose-gc', `--max-old-space-size=${MOST_MEGABYTES}`],
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      const lose = (): void => void child.kill('SIGKILL');
      let patience = setTimeout(lose, PATIENCE_SECONDS * 1000);
      child.on('message', (message) => {
        clearTimeout(patience);
        patience = setTimeout(lose, PATIENCE_SECONDS * 1000);
        const report = message as Report;
        next = report.index + 1;
        count(report, tally, keep);
      });
      child.on('exit', () => {
        clearTimeout(patience);
        if (next < batch.to) {
          tally.violations++;
          keep(next, 'the process died or hung');
          next++;
        }
        resolve(next);
      });
    });
  }
}

function count(report: Report, tally: Tally, keep: (index: number, why: string) => void): void {
  const { index, seconds, megabytes, read, error, complaint } = report;
  tally.inputs++;
  if (read) tally.read++;
  tally.seconds = Math.max(tally.seconds, seconds);
  tally.megabytes = Math.max(tally.megabytes, megabytes);
  if (error !== undefined) {
    const sentence = error.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\d+/g, '#');
    tally.sentences.set(sentence, (tally.sentences.get(sentence) ?? 0) + 1);
  }
  const why =
    complaint ??
    (seconds > MOST_SECONDS ? `${seconds.toFixed(1)} s` : undefined) ??
    (megabytes > MOST_MEGABYTES ? `${megabytes.toFixed(0)} MB` : undefined);
  if (why === undefined) return;
  tally.violations++;
  keep(index, why);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      format: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      sentences: { type: 'boolean', default: false },
    },
  });
  const formats = FORMATS.filter((format) => values.format === undefined || values.format === format);
  if (formats.length === 0) throw new Error(`unknown format ${values.format}: ${FORMATS.join(', ')}`);
  const seed = Number(values.seed);
  const each = Math.ceil(Number(values.count) / formats.length);
  const folder = mkdtempSync(join(tmpdir(), 'wavelight-fuzz-'));
  const tallies = new Map<CheckpointFormat, Tally>();
  const batches: Batch[] = [];
  for (const format of formats) {
    tallies.set(format, {
      inputs: 0,
      read: 0,
      seconds: 0,
      megabytes: 0,
      violations: 0,
      sentences: new Map(),
    });
    for (let from = 0; from < each; from += BATCH)
      batches.push({ format, seed, from, to: Math.min(from + BATCH, each) });
  }
  const work = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const { format } = batch;
      const tally = tallies.get(format);
      if (tally === undefined) continue;
      await superviseBatch(batch, tally, (index, why) => {
        if (tally.violations > MOST_KEPT) return;
        const path = join(folder, `${format}-${seed}-${index}`);
        writeFileSync(path, hostileInput(format, seed, index));
        console.log(`${format} ${index}: ${why} (${path})`);
      });
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.table(
    [...tallies].map(([format, { inputs, read, seconds, megabytes, violations, sentences }]) => ({
      format,
      inputs,
      read,
      refused: inputs - read,
      sentences: sentences.size,
      'worst s': Number(seconds.toFixed(2)),
      'worst MB': Math.round(megabytes),
      violations,
    })),
  );
  if (values.sentences) {
    for (const [format, { sentences }] of tallies) {
      for (const [sentence, times] of [...sentences].sort(([, a], [, b]) => b - a))
        console.log(format, times, sentence);
    }
  }
  if ([...tallies.values()].some(({ violations }) => violations > 0)) process.exitCode = 1;
}

const batch = process.argv[2] === '--child' ? process.argv[3] : undefined;
if (batch === undefined) await main();
else {
  await runBatch(JSON.parse(batch) as Batch);
  process.disconnect();
}
