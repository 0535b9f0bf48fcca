// Kills trainings and preparations at random moments, resumes them, and compares what they make with an undisturbed one. Needs /proc.

import { existsSync } from 'node:fs';
import { readFile, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomStream } from '../../src/avsc/dataset/random.ts';
import { exists } from '../../src/avsc/node/runs/folder.ts';
import { filesIn, problemsOf } from './made_files.ts';
import { AS_OLD_NODE, BIN, ROOT, startSession, waitForEmpty, workerOf, type Session } from './processes.ts';

interface KillPlan {
  /** `train` is started by npm, `prepare` by bin/wavelight.js as an old Node runs it. */
  readonly command: 'train' | 'prepare';
  /** An empty folder for everything that is made. */
  readonly folder: string;
  readonly data: string;
  readonly device: string;
  /** Of each stage of a training. */
  readonly epochs: number;
  readonly kills: number;
  readonly seed: number;
  readonly onKill?: (kill: Kill) => void;
}

type Target = 'wrapper' | 'worker' | 'group';

/** One kill and what became of it. */
export interface Kill {
  readonly number: number;
  readonly signal: NodeJS.Signals;
  readonly target: Target;
  /** Seconds after the start. */
  readonly after: number;
  /** Its last line before. */
  readonly during: string;
  readonly end: string;
  /** Seconds until no process was left; null if some had to be killed. */
  readonly goneIn: number | null;
  /** Temporary files that were left, which the next start has to remove. */
  readonly temporaries: number;
  readonly problems: readonly string[];
}

interface KillReport {
  readonly kills: readonly Kill[];
  /** Number of trainings or preparations that came to their end, and were compared. */
  readonly compared: number;
  /** Seconds of the undisturbed one. */
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** Signals and their targets. npm does not pass a SIGINT on that it alone gets, and goes on. */
const KILLS = {
  train: pairs(['SIGKILL', 'SIGTERM', 'SIGHUP'], ['wrapper', 'worker', 'group']).concat(
    pairs(['SIGINT'], ['worker', 'group']),
  ),
  prepare: pairs(['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'], ['wrapper', 'worker', 'group']),
} as const;

function pairs(signals: readonly NodeJS.Signals[], targets: readonly Target[]): [NodeJS.Signals, Target][] {
  return signals.flatMap((signal) => targets.map((target): [NodeJS.Signals, Target] => [signal, target]));
}

/** Time in which everything that was started has to end after a kill. It is generous, because the machine may be busy. */
const SECONDS_TO_END = 60;

/** Runs the plan. Nothing is thrown for what goes wrong: it stands in the report. */
export async function runKills(plan: KillPlan): Promise<KillReport> {
  const random = randomStream(plan.seed, 'kills', plan.command);
  const reference = join(plan.folder, 'reference');
  const made = join(plan.folder, 'made');
  const problems: string[] = [];
  const kills: Kill[] = [];
  let compared = 0;
  const started = performance.now();
  const first = await begin(plan, reference).ended;
  const seconds = (performance.now() - started) / 1000;
  if (first.code !== 0) return { kills, compared, seconds, problems: [`undisturbed: ${first.stderr}`] };
  while (kills.length < plan.kills || (await exists(made))) {
    // The last one runs to its end.
    const after = kills.length < plan.kills ? 0.7 * random() * seconds : Number.POSITIVE_INFINITY;
    const possible = KILLS[plan.command];
    const [signal, target] = possible[Math.floor(random() * possible.length)] ?? ['SIGKILL', 'group'];
    const session = begin(plan, made);
    const end = await Promise.race([session.ended, ...(Number.isFinite(after) ? [sleep(1000 * after)] : [])]);
    if (end !== undefined) {
      if (end.code !== 0)
        return { kills, compared, seconds, problems: [...problems, `ended by itself: ${end.stderr}`] };
      problems.push(...(await differences(reference, made)));
      compared++;
      await rm(made, { recursive: true });
      continue;
    }
    const kill = await strike(plan, session, made, { signal, target, after, number: kills.length + 1 });
    kills.push(kill);
    problems.push(...kill.problems);
    plan.onKill?.(kill);
  }
  return { kills, compared, seconds, problems };
}

/** Starts the command, or goes on with what it has made. */
function begin({ command, data, device, epochs }: KillPlan, made: string): Session {
  const common = ['--data', data, '--cache', join(made, 'cache')];
  if (command === 'prepare')
    return startSession(process.execPath, [...AS_OLD_NODE, BIN, 'prepare', ...common], { cwd: ROOT });
  const run = join(made, 'run');
  // Sizes by which a training takes some seconds, validates, embeds and saves within its epochs.
  const sizes = [
    '--epochs',
    String(epochs),
    '--batch',
    '4',
    '--validation',
    '0.2',
    '--save-every',
    '2',
    '--freeze',
    'both',
  ];
  const resume = existsSync(join(run, 'config.json')) ? ['--resume'] : [];
  const args = [...common, '--out', run, '--device', device, ...sizes, ...resume];
  return startSession('npm', ['run', 'train', '--', ...args], { cwd: ROOT });
}

async function strike(
  plan: KillPlan,
  session: Session,
  made: string,
  about: Pick<Kill, 'number' | 'signal' | 'target' | 'after'>,
): Promise<Kill> {
  const worker = workerOf(session.pid);
  const during = session.stderr().trimEnd().split('\n').at(-1) ?? '';
  const { signal } = about;
  // What does not run yet cannot be killed.
  const target = worker === undefined && about.target === 'worker' ? 'group' : about.target;
  try {
    process.kill(
      target === 'wrapper' ? session.pid : target === 'worker' ? (worker?.pid ?? 0) : -session.pid,
      signal,
    );
  } catch {
    // It has just ended by itself.
  }
  const goneIn = await waitForEmpty(session.pid, SECONDS_TO_END);
  const { code, signal: by } = await session.ended;
  const problems = await problemsOf(made);
  if (goneIn === null) problems.push(`some processes were left after ${SECONDS_TO_END} s`);
  const isSudden = signal === 'SIGKILL' && target !== 'wrapper';
  const isTraining = / parameters, /.test(session.stderr());
  const isSaved =
    session.stderr().includes('stopped and saved') || (await exists(join(made, 'run', 'metrics.json')));
  if (plan.command === 'train' && isTraining && !isSudden && !isSaved)
    problems.push(`it did not save: ${session.stderr()}`);
  const temporaries = await ageTemporaries(made);
  return {
    ...about,
    target,
    during,
    end: by ?? String(code),
    goneIn,
    temporaries,
    problems: problems.map((problem) => `kill ${about.number}: ${problem}`),
  };
}

/** Makes temporary files as old as those that the next start takes for left behind; returns their number. */
async function ageTemporaries(made: string): Promise<number> {
  const names = await filesIn(made);
  const stale = names.filter((name) => name.endsWith('.tmp'));
  const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
  for (const name of stale) await utimes(join(made, name), old, old);
  return stale.length;
}

/** Files whose content depends on time. */
const OTHER = /(^|\/)(timings\.jsonl|report\.html|\.lock-\d+)$/;

/** What two folders differ in. */
async function differences(expected: string, found: string): Promise<string[]> {
  const [names, others] = [await filesIn(expected), await filesIn(found)];
  const isCompared = (name: string): boolean => !/(^|\/)\.lock-\d+$/.test(name);
  const lists = [names, others].map((list) => list.filter(isCompared).join(' '));
  if (lists[0] !== lists[1]) return [`it made ${lists[1]} instead of ${lists[0]}`];
  const wrong: string[] = [];
  for (const name of names.filter((each) => !OTHER.test(each))) {
    if (!(await readFile(join(expected, name))).equals(await readFile(join(found, name))))
      wrong.push(`${name} differs`);
  }
  return [...wrong, ...(await problemsOf(found))];
}
