/** Runs a case in all ways and compares each with the oracle: eager, each op by itself, kernels for a CPU. */
import type { Device } from '../../src/index.ts';
import type { Description } from '../../src/gpu/profile.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import type { Case } from './case.ts';
import { runCase, type Results } from './run.ts';

export interface Way {
  readonly fusion: boolean;
  readonly kind: Description['kind'];
  readonly compiled: boolean;
  /** Default f32. */
  readonly precision?: Precision;
}

export const ORACLE: Way = { fusion: false, kind: 'cpu', compiled: false };

export const WAYS: readonly Way[] = [true, false].flatMap((fusion) =>
  (['cpu', 'gpu'] as const).flatMap((kind) => [false, true].map((compiled) => ({ fusion, kind, compiled }))),
);

/** Ways that store activations and gradients as f16. */
export const HALF_WAYS: readonly Way[] = WAYS.filter(({ compiled }) => compiled).map((way) => ({
  ...way,
  precision: 'f16',
}));

export const nameOf = ({ fusion, kind, compiled, precision = 'f32' }: Way): string =>
  `${fusion ? 'fused' : 'plain'} ${kind} ${compiled ? 'compiled' : 'eager'}${precision === 'f16' ? ' f16' : ''}`;

/** Finds the device of a way. */
export type Devices = (way: Way) => Device;

export interface Finding {
  readonly way: Way;
  /** `error`: one way throws. `names`: other tensors. `number`: NaN or infinite elsewhere. `bits`: a repeated call differs. */
  readonly fault: 'error' | 'names' | 'number' | 'distance' | 'bits';
  readonly detail: string;
}

interface Verdict {
  readonly findings: readonly Finding[];
  /** What all ways refuse the case with. */
  readonly refused?: string;
  /** Largest relative distance between a way and the oracle that was not suspicious. */
  readonly worst: number;
  /** Largest distance that was suspicious and no finding, in distances that last bits move the oracle. */
  readonly strain: number;
}

type Outcome = { readonly results: Results } | { readonly error: string };

/** Bits of an element, and the relative distance within which nothing is suspicious; beyond it the oracle's own sensitivity decides. */
const ROUNDING = {
  f32: { bits: 23, close: 1e-5, least: 0 },
  // Elements are about 1: what is smaller may be the difference of some that were rounded.
  f16: { bits: 10, close: 4e-2, least: 1 },
} as const;
/** How many times as far as the oracle moves when the last bits of its inputs change. */
export const MARGIN = 64;
const NUDGES = 3;

export async function judge(devices: Devices, net: Case, ways: readonly Way[] = WAYS): Promise<Verdict> {
  const oracle = await outcome(devices, net, ORACLE);
  const nudged = { f32: [] as Results[], f16: [] as Results[] };
  const sensitivityTo =
    (precision: Precision): Sensitivity =>
    async (name, expected) => {
      const moved = nudged[precision];
      for (let nudge = moved.length + 1; nudge <= NUDGES; nudge++)
        moved.push(
          await runCase(devices(ORACLE), net, { compiled: false, nudge, bits: ROUNDING[precision].bits }),
        );
      return Math.max(...moved.map((results) => distance(results.get(name) ?? expected, expected)));
    };
  const findings: Finding[] = [];
  let [worst, strain] = [0, 0];
  for (const way of ways) {
    const actual = way === ORACLE ? oracle : await outcome(devices, net, way);
    const { precision = 'f32' } = way;
    const fault = await compare(net, actual, oracle, sensitivityTo(precision), ROUNDING[precision]);
    if ('fault' in fault) {
      findings.push({ way, ...fault });
      continue;
    }
    worst = Math.max(worst, fault.worst);
    strain = Math.max(strain, fault.strain);
  }
  const refused = 'error' in oracle && findings.length === 0 ? { refused: oracle.error } : {};
  return { findings, worst, strain, ...refused };
}

async function outcome(devices: Devices, net: Case, way: Way): Promise<Outcome> {
  try {
    return { results: await runCase(devices(way), net, way) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

type Fault = Omit<Finding, 'way'>;

/** How far a result of the oracle moves when the last bits of its inputs change. */
type Sensitivity = (name: string, expected: Float32Array) => Promise<number>;

/** What is wrong, or the largest distances. */
async function compare(
  net: Case,
  actual: Outcome,
  oracle: Outcome,
  sensitivity: Sensitivity,
  { close, least: small }: { readonly close: number; readonly least: number },
): Promise<Fault | Pick<Verdict, 'worst' | 'strain'>> {
  if ('error' in actual || 'error' in oracle) {
    if ('error' in actual && 'error' in oracle) return { worst: 0, strain: 0 };
    return {
      fault: 'error',
      detail:
        'error' in actual
          ? `throws ${actual.error}`
          : `only the oracle throws ${'error' in oracle ? oracle.error : ''}`,
    };
  }
  const [a, b] = [actual.results, oracle.results];
  const missing = [...b.keys()].filter((name) => !a.has(name));
  const extra = [...a.keys()].filter((name) => !b.has(name));
  if (missing.length + extra.length > 0)
    return {
      fault: 'names',
      detail: `lacks ${missing.join(', ') || 'nothing'}, has also ${extra.join(', ') || 'nothing'}`,
    };
  const least = { other: small, gradient: leastGradient(b) };
  let [worst, strain] = [0, 0];
  for (const [name, expected] of b) {
    const values = a.get(name) ?? expected;
    const where = differentNumbers(values, expected, net.plant?.value === 'NaN');
    if (where !== undefined)
      return {
        fault: 'number',
        detail: `${name}: element ${where} is ${values[where] ?? ''} instead of ${expected[where] ?? ''}`,
      };
    const far = distance(values, expected);
    const size = Math.max(normOf(expected), least[name.startsWith('gradient') ? 'gradient' : 'other']);
    if (far > close * size) {
      const moves = await sensitivity(name, expected);
      if (far > MARGIN * moves)
        return {
          fault: 'distance',
          detail: `${name}: ${(far / size).toExponential(1)} of its norm away, where last bits move the oracle by ${(moves / size).toExponential(1)}`,
        };
      strain = Math.max(strain, moves > 0 ? far / moves : 0);
    } else worst = Math.max(worst, size > 0 ? far / size : 0);
  }
  return repeatFault(net, a) ?? { worst, strain };
}

/** The first element that is a number in one and not in the other (or, unless `nanOnly`, finite in one alone). */
function differentNumbers(a: Float32Array, b: Float32Array, nanOnly: boolean): number | undefined {
  const kind = nanOnly ? Number.isNaN : Number.isFinite;
  const at = b.findIndex((expected, i) => kind(a[i] ?? 0) !== kind(expected));
  return at < 0 ? undefined : at;
}

/**
 * A gradient may be zero but for rounding, as that of a bias before a norm is: it is judged beside the largest gradient, or beside the
 * losses' own, which are 1.
 */
function leastGradient(results: Results): number {
  const norms = [...results]
    .filter(([name]) => name.startsWith('gradient'))
    .map(([, values]) => normOf(values));
  return Math.max(1, ...norms);
}

const normOf = (values: Float32Array): number => distance(values, new Float32Array(values.length));

/** Norm of the difference, over elements that are finite in both. */
function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [i, expected] of b.entries()) {
    const difference = (a[i] ?? 0) - expected;
    if (Number.isFinite(difference)) sum += difference ** 2;
  }
  return Math.sqrt(sum);
}

/** Calls 0 and 2 see the same inputs: if nothing changes in between, they give the same bits. */
function repeatFault({ calls, optimizer, steps }: Case, results: Results): Fault | undefined {
  const changes =
    optimizer !== undefined || steps.some((step) => step.op === 'norm' && step.stats !== undefined);
  if (changes || calls[2] === undefined || calls[0] !== calls[2]) return undefined;
  for (const [name, first] of results) {
    if (!name.startsWith('call 0: ')) continue;
    const third = results.get(name.replace('call 0', 'call 2')) ?? first;
    const at = first.findIndex((value, i) => !Object.is(value, third[i]));
    if (at >= 0)
      return {
        fault: 'bits',
        detail: `${name}: element ${at} is ${first[at] ?? ''} and then ${third[at] ?? ''}`,
      };
  }
  return undefined;
}
