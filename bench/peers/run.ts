import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ceilings } from '../../src/gpu/ceilings.ts';
import type { AdapterChoice } from '../../src/node/adapter.ts';
import { messageOf } from '../../src/node/files.ts';
import { median } from '../report.ts';
import { disagreement, distance, readResults, toleranceOf, type Distance, type Results } from './compare.ts';
import type { Description, Timed } from './protocol.ts';
import { contestants, ownContestant, type Contestant, type Missing, type PeerName } from './roster.ts';
import type { OwnDescription } from './wavelight.ts';
import { workOf, type Shapes } from './shapes.ts';
import { bytesOf, flopsOf, type Work } from './work.ts';
import { startWorker, type Worker } from './worker.ts';

interface PeersOptions {
  readonly device: AdapterChoice;
  readonly only: readonly PeerName[];
  readonly shapes: readonly Shapes[];
  readonly batch: number;
  /** Rounds of measurement, whose median is reported. */
  readonly repeats: number;
  /** Receives progress messages. */
  readonly say: (line: string) => void;
}

export interface PeersReport {
  readonly machine: {
    readonly adapter: string;
    readonly kind: 'gpu' | 'cpu';
    readonly profile: 'fast';
    readonly ceilings: Ceilings;
    readonly processor: string;
    readonly node: string;
  };
  readonly batch: number;
  readonly repeats: number;
  readonly peers: readonly ((Description & { readonly name: string }) | Missing | Broken)[];
  readonly works: readonly WorkReport[];
}

interface Broken {
  readonly name: string;
  readonly problem: string;
}

interface Draft {
  readonly name: string;
  readonly kind: Work['kind'];
  readonly flops: number;
  /** Bytes that must be moved; null for a training step, whose bytes depend on the activations that are kept. */
  readonly bytes: number | null;
  readonly results: readonly (Measured | Broken)[];
  /** Distances between the other peers, without wavelight. */
  readonly betweenPeers: readonly {
    readonly names: readonly [string, string];
    readonly distance: Distance;
  }[];
}

export interface WorkReport extends Draft {
  /** Lower bound on the time at the machine's ceilings, by arithmetic and, for a convolution, by bytes. */
  readonly floorMilliseconds: number;
}

export interface Measured {
  readonly name: string;
  /** Time of one step, the median of the rounds. */
  readonly milliseconds: number;
  /** Time of one step in each round. */
  readonly rounds: readonly number[];
  /** Steps in a round. */
  readonly steps: number;
  readonly gflops: number;
  /** True if the ceilings of wavelight's adapter apply. */
  readonly onAdapter: boolean;
  readonly dispatches: number | null;
  readonly submits: number | null;
  /** Time divided by wavelight's; 1 for wavelight, null if wavelight failed. */
  readonly speedup: number | null;
  /** Distance from wavelight's results; null for wavelight. */
  readonly distance: Distance | null;
}

/** A contestant and its process, which is restarted if it has ended. */
interface Seat {
  readonly contestant: Contestant;
  worker: Worker;
}

/** Least duration of a round of a fast peer, so that starting and waiting are negligible. */
const ROUND_MS = 100;
const MAX_STEPS = 64;
const SLOW_MS = 5000;

/**
 * Runs the same work by wavelight and each installed peer, each in its own process and one at a time. First all results are
 * compared, then rounds of steps are timed in turn. Throws an Error if wavelight itself cannot run.
 */
export async function benchPeers(options: PeersOptions): Promise<PeersReport> {
  const { device, only, shapes, batch, repeats, say } = options;
  const folder = await mkdtemp(join(tmpdir(), 'wavelight-peers-'));
  const seats: Seat[] = [];
  try {
    const own = seat(ownContestant(device));
    seats.push(own);
    // wavelight's description has more fields than a peer's.
    const self = (await own.worker.ask({ do: 'describe' })) as OwnDescription;
    const { version, adapter, kind, notes } = self;
    const peers: PeersReport['peers'][number][] = [{ name: 'wavelight', version, adapter, notes }];
    say(`wavelight ${version}: ${adapter}`);
    for (const name of only) {
      const found = contestants(name, { device, adapter }, kind);
      if ('missing' in found) {
        peers.push(found);
        say(`${name}: ${found.missing}`);
        continue;
      }
      for (const contestant of found) peers.push(await open(contestant, seats, say));
    }
    const works: Draft[] = [];
    for (const work of shapes.flatMap((choice) => workOf(choice, batch))) {
      say(`${work.name} ...`);
      works.push(await measureWork(work, seats, repeats, folder, say));
    }
    const ceilings = await bestCeilings(self.ceilings, own.worker);
    const processor = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads`;
    const machine = { adapter, kind, profile: 'fast', ceilings, processor, node: process.version } as const;
    return { machine, batch, repeats, peers, works: works.map((draft) => withFloor(draft, ceilings)) };
  } finally {
    await Promise.all(seats.map(({ worker }) => worker.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

const higher = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? null : Math.max(one, other);

/** The higher ceilings of start and end, because the machine may have been busy at one of them. */
async function bestCeilings(start: Ceilings, worker: Worker): Promise<Ceilings> {
  if (!worker.alive) return start;
  const { ceilings: end } = (await worker.ask({ do: 'describe' })) as OwnDescription;
  return {
    fmaGflops: Math.max(start.fmaGflops, end.fmaGflops),
    fmaF16Gflops: higher(start.fmaF16Gflops, end.fmaF16Gflops),
    matrixF16Gflops: higher(start.matrixF16Gflops, end.matrixF16Gflops),
    matrixF32Gflops: higher(start.matrixF32Gflops, end.matrixF32Gflops),
    copyGBps: Math.max(start.copyGBps, end.copyGBps),
    dispatchMicroseconds: Math.min(start.dispatchMicroseconds, end.dispatchMicroseconds),
    submitMilliseconds: Math.min(start.submitMilliseconds, end.submitMilliseconds),
    readbackMilliseconds: Math.min(start.readbackMilliseconds, end.readbackMilliseconds),
  };
}

const withFloor = (draft: Draft, { fmaGflops, copyGBps }: Ceilings): WorkReport => ({
  ...draft,
  floorMilliseconds: Math.max(draft.flops / fmaGflops, (draft.bytes ?? 0) / copyGBps) / 1e6,
});

const seat = (contestant: Contestant): Seat => ({ contestant, worker: startWorker(contestant.command) });

async function open(
  contestant: Contestant,
  seats: Seat[],
  say: (line: string) => void,
): Promise<PeersReport['peers'][number]> {
  const { name } = contestant;
  const taken = seat(contestant);
  try {
    const description = await taken.worker.ask({ do: 'describe' });
    seats.push(taken);
    say(`${name} ${description.version}: ${description.adapter} (${description.notes.join(', ')})`);
    return { name, ...description };
  } catch (cause) {
    await taken.worker.close();
    const problem = messageOf(cause);
    say(`${name}: ${problem}`);
    return { name, problem };
  }
}

async function measureWork(
  work: Work,
  seats: readonly Seat[],
  repeats: number,
  folder: string,
  say: (line: string) => void,
): Promise<Draft> {
  const problems = new Map<Seat, string>();
  const fail = (at: Seat, problem: string): void => {
    problems.set(at, problem);
    say(`  ${at.contestant.name}: ${problem}`);
  };
  const entered = seats.filter(({ contestant }) => contestant.does.includes(work.kind));
  const results = new Map<Seat, Results>();
  for (const seat of entered) {
    const computed = await attempt(() => compute(work, seat, folder));
    if (computed instanceof Error) fail(seat, computed.message);
    else results.set(seat, computed);
  }
  const distances = judge(work, results, fail);
  const alive = (): Seat[] => entered.filter((seat) => !problems.has(seat));
  const rounds = new Map<Seat, { steps: number; timed: Timed[] }>();
  for (const seat of alive()) {
    const steps = await attempt(() => warmUp(seat));
    if (steps instanceof Error) fail(seat, steps.message);
    else rounds.set(seat, { steps, timed: [] });
  }
  for (let round = 0; round < repeats; round++) {
    for (const seat of rotate(alive(), round)) {
      const mine = rounds.get(seat);
      if (mine === undefined) continue;
      const timed = await attempt(() => seat.worker.ask({ do: 'time', steps: mine.steps }));
      if (timed instanceof Error) fail(seat, timed.message);
      else mine.timed.push(timed);
    }
  }
  for (const { worker } of entered) if (worker.alive) await attempt(() => worker.ask({ do: 'dispose' }));
  const flops = flopsOf(work);
  const timesOf = ({ steps, timed }: { steps: number; timed: readonly Timed[] }): number[] =>
    timed.map(({ milliseconds }) => milliseconds / steps);
  const own = entered.find(({ contestant }) => contestant.name === 'wavelight');
  const ownRounds = own && !problems.has(own) ? rounds.get(own) : undefined;
  const ownTime = ownRounds && median(timesOf(ownRounds));
  return {
    name: work.name,
    kind: work.kind,
    flops,
    bytes: bytesOf(work),
    results: entered.map((seat): Measured | Broken => {
      const { name } = seat.contestant;
      const mine = rounds.get(seat);
      const last = mine?.timed.at(-1);
      if (problems.has(seat) || mine === undefined || last === undefined)
        return { name, problem: problems.get(seat) ?? 'was not timed' };
      const times = timesOf(mine);
      const milliseconds = median(times);
      const gflops = flops / milliseconds / 1e6;
      return {
        name,
        milliseconds,
        rounds: times,
        steps: mine.steps,
        gflops,
        onAdapter: seat.contestant.onAdapter,
        dispatches: last.dispatches,
        submits: last.submits,
        speedup: ownTime === undefined ? null : milliseconds / ownTime,
        distance: distances.fromOwn.get(seat) ?? null,
      };
    }),
    betweenPeers: distances.betweenPeers,
  };
}

async function compute(work: Work, seat: Seat, folder: string): Promise<Results> {
  if (!seat.worker.alive) seat.worker = startWorker(seat.contestant.command);
  await seat.worker.ask({ do: 'prepare', work });
  const file = join(folder, `${seat.contestant.name.replaceAll(' ', '-')}.f32`);
  const { losses } = await seat.worker.ask({ do: 'check', file });
  return readResults(work, file, losses);
}

/** Compares each peer with wavelight and the peers with each other. A peer too far from wavelight fails. */
function judge(
  work: Work,
  results: ReadonlyMap<Seat, Results>,
  fail: (at: Seat, problem: string) => void,
): { fromOwn: Map<Seat, Distance>; betweenPeers: WorkReport['betweenPeers'] } {
  const all = [...results].map(([seat, found]) => ({ seat, found, name: seat.contestant.name }));
  const own = all.find(({ name }) => name === 'wavelight');
  const peers = all.filter((entry) => entry !== own);
  const fromOwn = new Map<Seat, Distance>();
  for (const { seat, found } of peers) {
    if (own === undefined) continue;
    const measured = distance(work, found, own.found);
    fromOwn.set(seat, measured);
    const problem = disagreement(measured, toleranceOf(work.kind, seat.contestant.precision));
    if (problem !== null) fail(seat, `not timed, because it differs from wavelight: ${problem}`);
  }
  const betweenPeers = peers.flatMap((a, i) =>
    peers.slice(i + 1).map((b) => ({
      names: [a.name, b.name] as const,
      distance: distance(work, a.found, b.found),
    })),
  );
  return { fromOwn, betweenPeers };
}

/** Runs until everything is compiled and returns the number of steps in a round. */
async function warmUp({ worker, contestant: { leastSteps } }: Seat): Promise<number> {
  const first = await worker.ask({ do: 'time', steps: leastSteps });
  // Compiling is a small part of a run this slow.
  if (first.milliseconds > SLOW_MS) return leastSteps;
  const { milliseconds } = await worker.ask({ do: 'time', steps: leastSteps });
  const steps = Math.round((ROUND_MS * leastSteps) / milliseconds);
  if (steps <= leastSteps) return leastSteps;
  const most = Math.min(steps, MAX_STEPS);
  await worker.ask({ do: 'time', steps: most });
  return most;
}

const rotate = <T>(list: readonly T[], by: number): T[] => {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
};

async function attempt<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work();
  } catch (cause) {
    return cause instanceof Error ? cause : new Error(String(cause));
  }
}
