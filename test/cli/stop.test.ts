import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeDataset } from '../../src/avsc/node/data/synth.ts';
import {
  AS_OLD_NODE,
  BIN,
  HAS_PROC,
  processesOf,
  ROOT,
  startSession,
  waitForEmpty,
  workerOf,
  type Session,
} from '../support/processes.ts';
import { FULL } from '../support/scale.ts';

const DEVICE = process.env['WAVELIGHT_TEST_ADAPTER'] ?? 'software';
const SECONDS_TO_END = 60;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-stop-'));
  await makeDataset(join(folder, 'data'), { train: 1, evaluate: 1, seconds: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Sessions of the current test. Their trainings would take days if it fails. */
const sessions: number[] = [];
afterEach(() => {
  for (const { pid } of sessions.splice(0).flatMap(processesOf)) process.kill(pid, 'SIGKILL');
});

const begin: typeof startSession = (...args) => {
  const session = startSession(...args);
  sessions.push(session.pid);
  return session;
};

/** More epochs than any of these tests waits for. */
const trainArgs = (run: string): string[] => {
  const paths = ['--data', 'data', '--cache', 'cache', '--out', run].map((arg) =>
    arg.startsWith('--') ? arg : join(folder, arg),
  );
  return ['train', ...paths, '--epochs', '100000', '--batch', '2', '--device', DEVICE];
};

const lines = async (run: string): Promise<number> =>
  (await readFile(join(folder, run, 'metrics.jsonl'), 'utf8').catch(() => '')).split('\n').length;

/** Waits until a training goes on from `from` lines of records. Throws if it ends before. */
async function trains(run: string, session: Session, from = 1): Promise<void> {
  for (;;) {
    if ((await lines(run)) > from + 3) return;
    const { exitCode, signalCode } = session.child;
    if (exitCode !== null || signalCode !== null) throw new Error(`it has ended: ${session.stderr()}`);
    await sleep(20);
  }
}

function startWrapped(run: string): Session {
  return begin(process.execPath, [...AS_OLD_NODE, BIN, ...trainArgs(run)], { cwd: folder });
}

/** Sends a signal to a process of the session by its role: what was started, npm's shell, what trains, or all at once as a terminal does. */
function send({ pid }: Session, signal: NodeJS.Signals, to: 'wrapper' | 'shell' | 'worker' | 'group'): void {
  const worker = workerOf(pid);
  if (worker === undefined || worker.pid === pid) throw new Error('no wrapper or no worker runs');
  const pids = { wrapper: pid, shell: worker.parent, worker: worker.pid, group: -pid };
  process.kill(pids[to], signal);
}

const saved = (run: string): string =>
  `stopped and saved: go on with wavelight train --resume --out ${join(folder, run)}`;

/** Further ones, in `npm run test:all`. */
const NOHUP: [string, string, string[]][] = [['nohup', 'nohup', [process.execPath, BIN]]];
const SIGNALS = [
  ['SIGTERM', 'wrapper', 143],
  ['SIGTERM', 'worker', 143],
] as const;
const NPM_SIGNALS = [
  ['SIGKILL', 'wrapper'],
  ['SIGHUP', 'wrapper'],
] as const;

describe.skipIf(!HAS_PROC)('a signal to a training (needs /proc)', () => {
  it.each([
    ...(FULL ? SIGNALS : []),
    ['SIGHUP', 'wrapper', 129],
    ['SIGINT', 'group', 130],
    ['SIGKILL', 'wrapper', null],
  ] as const)(
    '%s to the %s: it saves, ends with status %s and leaves no process',
    async (signal, to, code) => {
      const run = `${signal}-${to}`;
      const session = startWrapped(run);
      await trains(run, session);
      send(session, signal, to);
      const end = await session.ended;
      expect(await waitForEmpty(session.pid, SECONDS_TO_END)).not.toBeNull();
      expect(end.code).toBe(code);
      expect(session.stderr().trimEnd().split('\n').at(-1)).toBe(`wavelight: ${saved(run)}`);
    },
  );

  it.each([...(FULL ? NPM_SIGNALS : []), ['SIGTERM', 'wrapper'], ['SIGKILL', 'shell']] as const)(
    '%s to the %s of npm run train: the training saves and ends',
    async (signal, to) => {
      const run = `npm-${signal}-${to}`;
      const session = begin('npm', ['run', 'train', '--', ...trainArgs(run).slice(1)], { cwd: ROOT });
      await trains(run, session);
      send(session, signal, to);
      expect(await waitForEmpty(session.pid, SECONDS_TO_END)).not.toBeNull();
      expect(session.stderr()).toContain(saved(run));
    },
  );

  it.skipIf(spawnSync('script', ['--version']).error !== undefined)(
    'a terminal that is closed: it saves and ends, though it cannot say so (needs the command script)',
    async () => {
      const run = 'terminal';
      const command = [process.execPath, BIN, ...trainArgs(run)].join(' ');
      const terminal = begin('script', ['-qec', command, '/dev/null'], { cwd: folder });
      await trains(run, terminal);
      const lock = (): Promise<string> => readFile(join(folder, run, '.lock-1'), 'utf8');
      const { pid } = JSON.parse(await lock()) as { pid: number };
      sessions.push(pid);
      process.kill(terminal.pid, 'SIGKILL');
      while (existsSync(`/proc/${pid}`)) await sleep(20);
      expect(await lock()).toBe('null');
    },
  );

  it('a second signal, later, ends it at once', async () => {
    const work = fileURLToPath(new URL('../support/never_stops.ts', import.meta.url));
    const stubborn = begin(process.execPath, [work], { cwd: folder });
    while (!stubborn.stderr().includes('working')) await sleep(10);
    process.kill(stubborn.pid, 'SIGINT');
    process.kill(stubborn.pid, 'SIGTERM');
    while (!stubborn.stderr().includes('armed')) await sleep(10);
    expect(stubborn.child.exitCode).toBeNull();
    process.kill(stubborn.pid, 'SIGHUP');
    expect((await stubborn.ended).code).toBe(129);
  });

  it.each<[name: string, command: string, words: string[]]>([
    ...(FULL ? NOHUP : []),
    ['nohup npm run train', 'nohup', ['npm', 'run']],
  ])('%s: it goes on when the terminal is closed', async (name, command, [program = '', ...first]) => {
    const run = name.replaceAll(' ', '-');
    // A shell names the command that it starts in `_`.
    const env = { ...process.env, _: '/usr/bin/nohup' };
    const args =
      first[0] === 'run'
        ? [...first, 'train', '--', ...trainArgs(run).slice(1)]
        : [...first, ...trainArgs(run)];
    const session = begin(command, [program, ...args], { cwd: ROOT, env });
    await trains(run, session);
    const worker = workerOf(session.pid)?.pid ?? 0;
    process.kill(-session.pid, 'SIGHUP');
    const before = await lines(run);
    // Time in which npm's end would be seen.
    await sleep(2500);
    do {
      expect(processesOf(session.pid).map(({ pid }) => pid)).toContain(worker);
      await sleep(20);
    } while ((await lines(run)) <= before + 1);
    process.kill(worker, 'SIGKILL');
    expect(await waitForEmpty(session.pid, SECONDS_TO_END)).not.toBeNull();
  });
});
