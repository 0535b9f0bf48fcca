/*
 * Runs endless inputs against a reader, in child processes that are killed and replaced if they do not answer, for
 * fuzz-checkpoints.ts and fuzz-media.ts. Each of these starts itself as the child.
 */
import { fork } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Outcome } from '../test/support/hostile/outcome.ts';

const MEGABYTE = 2 ** 20;
/** Offending inputs that are saved for each format and cause. */
const MOST_KEPT = 3;
/** How often the memory of a child is looked at, in ms. */
const WATCH_MS = 200;
/** Upper bounds on the memory of an idle child: with what earlier inputs left, and of one that runs the program, in two processes. */
const IDLE_MEGABYTES = { reader: 512, program: 320 } as const;
/** Seconds in which the program has to answer: it may wait for its decoder for 10 s. */
const PROGRAM_PATIENCE = 30;
/** Characters of what a child printed that are shown. */
const LAST_WORDS = 300;

interface Limits {
  /** Processor time of one input in seconds. */
  readonly seconds: number;
  /** Memory of one input beyond what the process had before. */
  readonly megabytes: number;
  /** Wall-clock time in seconds after which a child counts as hung, and the program, if there is one, is asked. */
  readonly patience: number;
  /** Limit on V8's heap in a child, if it has one of its own. */
  readonly heap?: number;
}

export interface Fuzzed<F extends string> {
  readonly formats: readonly F[];
  readonly limits: Limits;
  /** Inputs that a child runs before it is replaced. */
  readonly batch: number;
  input(format: F, seed: number, index: number): Uint8Array;
  outcome(bytes: Uint8Array, format: F): Promise<Outcome>;
  /** What is changed in an input, for messages. */
  change?(format: F, seed: number, index: number): string;
  /**
   * What the program itself makes of an input that ends or occupies the process that decodes it. It is asked in a child, too.
   * Without it such an input is a violation.
   */
  outcomeInProgram?(bytes: Uint8Array, format: F): Promise<Outcome>;
}

/** Inputs from .. to - 1 of a format. `how` says whose outcome: the reader's or the whole program's. */
interface Batch<F extends string> {
  readonly format: F;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly how: 'reader' | 'program';
}

interface Report extends Outcome {
  readonly index: number;
  readonly seconds: number;
  readonly megabytes: number;
}

/** An input that ended its child or was ended with it. */
interface Death {
  readonly index: number;
  readonly kind: 'crash' | 'hang' | 'memory';
  readonly why: string;
}

type Ending = Report | Death;

/** The child's part: runs a batch, and reports each input. */
async function runBatch<F extends string>(fuzzed: Fuzzed<F>, batch: Batch<F>): Promise<void> {
  const { format, seed, from, to, how } = batch;
  const judge = how === 'program' ? fuzzed.outcomeInProgram?.bind(fuzzed) : fuzzed.outcome.bind(fuzzed);
  for (let index = from; index < to && judge; index++) {
    const bytes = fuzzed.input(format, seed, index);
    if (process.memoryUsage().external > 64 * MEGABYTE) globalThis.gc?.();
    const [before, peak] = [process.memoryUsage.rss(), process.resourceUsage().maxRSS];
    const [start, printed] = [process.cpuUsage(), fstatSync(2).size];
    const outcome = await judge(bytes, format);
    const { user, system } = process.cpuUsage(start);
    // What a library does after it answered, such as an unhandled rejection, belongs to this input.
    await new Promise((resolve) => setImmediate(resolve));
    const highest = process.resourceUsage().maxRSS;
    // The process's peak is about this input only if it rose.
    const megabytes = highest > peak ? (highest * 1024 - before) / MEGABYTE : 0;
    const words = printedSince(printed);
    const complaint = outcome.complaint ?? (words === '' ? undefined : `printed ${JSON.stringify(words)}`);
    const report: Report = {
      ...outcome,
      index,
      seconds: (user + system) / 1e6,
      megabytes,
      ...(complaint === undefined ? {} : { complaint }),
    };
    await new Promise<void>((resolve) => process.send?.(report, () => resolve()) ?? resolve());
  }
}

/** What this child has written to its output, which is a file, since that had so many bytes; the beginning of it. */
function printedSince(size: number): string {
  const text = Buffer.alloc(Math.min(fstatSync(2).size - size, LAST_WORDS));
  if (text.length > 0) readSync(2, text, 0, text.length, size);
  return text.toString();
}

/** Runs a batch in a child until it ends, and reports each input; the last one may have ended the child. */
function runChild<F extends string>(
  file: string,
  { limits }: Fuzzed<F>,
  batch: Batch<F>,
  onEnding: (ending: Ending) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const words = join(mkdtempSync(join(tmpdir(), 'wavelight-fuzz-child-')), 'output');
    const output = openSync(words, 'w+');
    let next = batch.from;
    const patience = batch.how === 'program' ? PROGRAM_PATIENCE : limits.patience;
    let peak = 0;
    let ended: Omit<Death, 'index'> | undefined;
    const heap = limits.heap === undefined ? [] : [`--max-old-space-size=${limits.heap}`];
    const child = fork(file, ['--child', JSON.stringify(batch)], {
      execArgv: ['--expose-gc', ...heap],
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    const kill = (kind: Death['kind'], why: string): void => {
      ended ??= { kind, why };
      child.kill('SIGKILL');
    };
    const clock = setTimeout(() => {
      kill('hang', `no answer for ${patience} s, ${peak.toFixed(0)} MB`);
    }, patience * 1000);
    // A child may not take the whole machine's memory before it answers.
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMegabytes(child.pid));
      if (peak > limits.megabytes + IDLE_MEGABYTES[batch.how])
        kill('memory', `no answer, but ${peak.toFixed(0)} MB`);
    }, WATCH_MS);
    child.on('message', (message) => {
      clock.refresh();
      const report = message as Report;
      next = report.index + 1;
      onEnding(report);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(clock);
      clearInterval(watch);
      if (next < batch.to) {
        const said = readFileSync(words, 'utf8').trim().replace(/\s+/g, ' ').slice(-LAST_WORDS);
        onEnding({
          index: next,
          ...(ended ?? { kind: 'crash', why: `the process died (${signal ?? `code ${code}`}) ${said}` }),
        });
      }
      rmSync(join(words, '..'), { recursive: true, force: true });
      resolve();
    });
  });
}

/** Resident memory of a process and of those that it started; 0 where the system does not tell. */
function residentMegabytes(pid: number | string | undefined): number {
  try {
    const own = Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return started.reduce((sum, child) => sum + residentMegabytes(child), own);
  } catch {
    return 0;
  }
}

/** What became of the inputs of one format. */
interface Tally {
  inputs: number;
  read: number;
  /** Inputs that ended or occupied the process of the reader, and that the program refused in a sentence for that reason. */
  contained: number;
  seconds: number;
  megabytes: number;
  readonly violations: { readonly index: number; readonly why: string }[];
  readonly sentences: Map<string, number>;
}

/** Runs the first input of a batch in a process of its own. */
async function runAlone<F extends string>(file: string, fuzzed: Fuzzed<F>, batch: Batch<F>): Promise<Ending> {
  let found: Ending | undefined;
  await runChild(file, fuzzed, { ...batch, to: batch.from + 1 }, (ending) => {
    found = ending;
  });
  return found ?? { index: batch.from, kind: 'crash', why: 'the process ended without an answer' };
}

/** Runs inputs from .. to - 1. `file` is the script that calls `fuzz`. `onFault` is told of violations and of contained inputs. */
export async function runInputs<F extends string>(
  file: string,
  fuzzed: Fuzzed<F>,
  place: Omit<Batch<F>, 'how'>,
  tally: Tally,
  onFault: (index: number, why: string) => void = () => undefined,
): Promise<void> {
  const violation = (index: number, why: string): void => {
    tally.violations.push({ index, why });
    onFault(index, why);
  };
  const judge = async (ending: Ending): Promise<void> => {
    const { index } = ending;
    const suspicion = faultOf(ending, fuzzed.limits);
    if ('read' in ending && (suspicion === undefined || ending.complaint !== undefined)) {
      count(ending, tally);
      if (suspicion !== undefined) violation(index, suspicion);
      return;
    }
    // A fresh process tells whether it was this input, or what earlier ones had left behind. What hangs has to wait for the program.
    const isHang = 'kind' in ending && ending.kind === 'hang';
    const again = isHang ? ending : await runAlone(file, fuzzed, { ...place, from: index, how: 'reader' });
    if ('read' in again) {
      const fault = faultOf(again, fuzzed.limits);
      count(again, tally);
      if (fault !== undefined) violation(index, fault);
      else if ('kind' in ending && ending.kind === 'crash')
        violation(index, `${ending.why}, though not alone`);
      return;
    }
    const { why } = again;
    const whole =
      again.kind === 'memory' || fuzzed.outcomeInProgram === undefined
        ? again
        : await runAlone(file, fuzzed, { ...place, from: index, how: 'program' });
    const remains = faultOf(whole, fuzzed.limits);
    if ('read' in whole && remains === undefined) {
      count(whole, tally);
      tally.contained++;
      onFault(index, `${why}; the program says: ${whole.error ?? 'decoded'}`);
    } else {
      tally.inputs++;
      violation(index, whole === again ? why : `${why}; the program: ${remains}`);
    }
  };
  for (let next = place.from; next < place.to;) {
    const suspects: Ending[] = [];
    const to = Math.min(next + fuzzed.batch, place.to);
    await runChild(file, fuzzed, { ...place, from: next, to, how: 'reader' }, (ending) => {
      next = ending.index + 1;
      suspects.push(ending);
    });
    for (const ending of suspects) await judge(ending);
  }
}

function faultOf(ending: Ending, limits: Limits): string | undefined {
  if ('kind' in ending) return ending.why;
  const { complaint, seconds, megabytes } = ending;
  if (complaint !== undefined) return complaint;
  if (seconds > limits.seconds) return `${seconds.toFixed(1)} s`;
  return megabytes > limits.megabytes ? `${megabytes.toFixed(0)} MB` : undefined;
}

function count({ seconds, megabytes, read, error }: Report, tally: Tally): void {
  tally.inputs++;
  if (read) tally.read++;
  tally.seconds = Math.max(tally.seconds, seconds);
  tally.megabytes = Math.max(tally.megabytes, megabytes);
  if (error === undefined) return;
  const sentence = error.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\d+/g, '#');
  tally.sentences.set(sentence, (tally.sentences.get(sentence) ?? 0) + 1);
}

export function newTally(): Tally {
  return {
    inputs: 0,
    read: 0,
    contained: 0,

    seconds: 0,
    megabytes: 0,
    violations: [],
    sentences: new Map(),
  };
}

/** If this process is the child of `runInputs`, does its work and returns true. */
export async function servedAsChild<F extends string>(fuzzed: Fuzzed<F>): Promise<boolean> {
  const batch = process.argv[2] === '--child' ? process.argv[3] : undefined;
  if (batch === undefined) return false;
  await runBatch(fuzzed, JSON.parse(batch) as Batch<F>);
  process.disconnect();
  return true;
}

/** The command line of a fuzzer: --count, --seed, --format, --jobs, --sentences. Prints a table; exit code 1 after violations. */
export async function fuzz<F extends string>(file: string, fuzzed: Fuzzed<F>): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      format: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      sentences: { type: 'boolean', default: false },
    },
  });
  const formats = fuzzed.formats.filter((format) => values.format === undefined || values.format === format);
  if (formats.length === 0) throw new Error(`unknown format ${values.format}: ${fuzzed.formats.join(', ')}`);
  const seed = Number(values.seed);
  const each = Math.ceil(Number(values.count) / formats.length);
  const folder = mkdtempSync(join(tmpdir(), 'wavelight-fuzz-'));
  const tallies = new Map(formats.map((format) => [format, newTally()]));
  const batches = formats.flatMap((format) =>
    Array.from({ length: Math.ceil(each / fuzzed.batch) }, (_, i) => ({
      format,
      seed,
      from: i * fuzzed.batch,
      to: Math.min((i + 1) * fuzzed.batch, each),
    })),
  );
  const start = Date.now();
  const kept = new Map<string, number>();
  const work = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const { format } = batch;
      const tally = tallies.get(format);
      if (tally === undefined) continue;
      await runInputs(file, fuzzed, batch, tally, (index, why) => {
        const cause = `${format} ${why.replace(/\d+/g, '#')}`;
        const times = (kept.get(cause) ?? 0) + 1;
        kept.set(cause, times);
        if (times > MOST_KEPT) return;
        const path = join(folder, `${format}-${seed}-${index}`);
        writeFileSync(path, fuzzed.input(format, seed, index));
        const change = fuzzed.change === undefined ? '' : ` [${fuzzed.change(format, seed, index)}]`;
        console.log(`${format} ${index}: ${why}${change} (${path})`);
      });
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.table([...tallies].map(([format, tally]) => tableRow(format, tally)));
  const inputs = [...tallies.values()].reduce((sum, tally) => sum + tally.inputs, 0);
  console.log(`${(inputs / ((Date.now() - start) / 1000)).toFixed(0)} inputs per second`);
  if (values.sentences) {
    for (const [format, { sentences }] of tallies) {
      for (const [sentence, times] of [...sentences].sort(([, a], [, b]) => b - a))
        console.log(format, times, sentence);
    }
  }
  if ([...tallies.values()].some(({ violations }) => violations.length > 0)) process.exitCode = 1;
  for (const [cause, times] of kept) if (times > MOST_KEPT) console.log(`${times} times: ${cause}`);
  if (kept.size === 0) rmSync(folder, { recursive: true });
}

function tableRow(format: string, tally: Tally): Readonly<Record<string, string | number>> {
  const { inputs, read, contained, seconds, megabytes, violations, sentences } = tally;
  return {
    format,
    inputs,
    read,
    refused: inputs - read,
    contained,
    sentences: sentences.size,
    'worst s': Number(seconds.toFixed(2)),
    'worst MB': Math.round(megabytes),
    violations: violations.length,
  };
}
