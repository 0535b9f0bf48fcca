import { formatTable } from '../report.ts';
import type { Measured, PeersReport, WorkReport } from './run.ts';

/** One table for each training step, one for all products, and a summary. */
export function formatPeers({ machine, works, repeats }: PeersReport): string {
  const { fmaGflops, copyGBps } = machine.ceilings;
  const convs = works.filter(isProduct);
  return [
    `${machine.adapter}; ceilings: ${fmaGflops.toFixed(1)} GFLOP/s FMA, ${copyGBps.toFixed(1)} GB/s copy; medians of ${repeats}`,
    ...works.filter((work) => !isProduct(work)).map(formatStep),
    ...(convs.length > 0 ? [formatConvs(convs), formatSummary(convs)] : []),
    ...formatDoubts(works, fmaGflops),
  ].join('\n\n');
}

function formatStep({ name, flops, floorMilliseconds, results }: WorkReport): string {
  const count = (value: number | null): string => (value === null ? '' : value.toFixed(0));
  const rows = results.map((result) => {
    if ('problem' in result) return [result.name, result.problem];
    const { distance } = result;
    return [
      result.name,
      result.milliseconds.toFixed(1),
      speedup(result),
      result.gflops.toFixed(1),
      count(result.dispatches),
      count(result.submits),
      ...(distance ? [distance.output, distance.gradient, distance.loss].map((e) => e.toExponential(1)) : []),
    ];
  });
  const floor = `${(flops / 1e9).toFixed(1)} GFLOP of convolution, at least ${floorMilliseconds.toFixed(1)} ms`;
  const header = [
    '',
    'ms',
    'wavelight is',
    'GFLOP/s',
    'dispatches',
    'submits',
    'output off',
    'gradients',
    'loss',
  ];
  return `Training step, ${name} (${floor})\n${formatRows(header, rows)}`;
}

function formatConvs(works: readonly WorkReport[]): string {
  const names = namesIn(works);
  const rows = works.map((work) => [
    work.name,
    (work.flops / 1e9).toFixed(2),
    work.floorMilliseconds.toFixed(2),
    ...names.map((name) => {
      const result = measured(work, name);
      if (result === undefined) return '-';
      return name === 'wavelight'
        ? result.milliseconds.toFixed(2)
        : `${result.milliseconds.toFixed(2)} ${speedup(result)}`;
    }),
  ]);
  const header = ['Product, ms', 'GFLOP', 'floor', ...names];
  return formatRows(header, rows);
}

/** For each peer: the sum of all times, the shape with wavelight's smallest lead, and the number of shapes where it is slower. */
function formatSummary(works: readonly WorkReport[]): string {
  const rows = namesIn(works)
    .filter((name) => name !== 'wavelight')
    .map((name) => {
      const pairs = works.flatMap((work) => {
        const [own, peer] = [measured(work, 'wavelight'), measured(work, name)];
        return own && peer
          ? [{ work: work.name, own, peer, ratio: peer.milliseconds / own.milliseconds }]
          : [];
      });
      const [least] = pairs.toSorted((a, b) => a.ratio - b.ratio);
      if (least === undefined) return [name, 'nothing measured'];
      const total = (of: 'own' | 'peer'): number =>
        pairs.reduce((sum, pair) => sum + pair[of].milliseconds, 0);
      const worst = Math.max(...pairs.map(({ peer }) => peer.distance?.output ?? 0));
      return [
        name,
        `${pairs.length} of ${works.length}`,
        `${(total('peer') / total('own')).toFixed(2)}x`,
        String(pairs.filter(({ ratio }) => ratio < 1).length),
        `${least.ratio.toFixed(2)}x at ${least.work}`,
        worst.toExponential(1),
      ];
    });
  return formatRows(
    ['All products', 'shapes', 'wavelight is, in all', 'slower at', 'least', 'output off at most'],
    rows,
  );
}

/** Peers that were faster than the device's measured ceiling. */
function formatDoubts(works: readonly WorkReport[], fmaGflops: number): string[] {
  const beyond = works
    .flatMap(({ results }) => results)
    .filter((result) => !('problem' in result) && result.onAdapter && result.gflops > fmaGflops);
  if (beyond.length === 0) return [];
  const names = [...new Set(beyond.map(({ name }) => name))].join(', ');
  return [
    `Do not believe this: ${names} went beyond the ceiling of ${fmaGflops.toFixed(1)} GFLOP/s, ${beyond.length} times. Either the ` +
      'machine was busy when that was measured, or somebody does not wait for the device.',
  ];
}

/** A convolution, its gradients, a matrix product: one line in a table. */
const isProduct = ({ kind }: WorkReport): boolean => kind === 'conv' || kind === 'product';

const speedup = ({ speedup: times }: Measured): string => (times === null ? '' : `${times.toFixed(2)}x`);

function measured(work: WorkReport, name: string): Measured | undefined {
  const found = work.results.find((result) => result.name === name);
  return found === undefined || 'problem' in found ? undefined : found;
}

const namesIn = (works: readonly WorkReport[]): string[] => [
  ...new Set(works.flatMap(({ results }) => results.map(({ name }) => name))),
];

/** A table of the rows, which may be short. Rows of two cells, a name and a message, follow it as lines. */
function formatRows(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const told = rows.filter((row) => row.length === 2).map(([name = '', text = '']) => `${name}: ${text}`);
  const table = formatTable(
    header,
    rows.filter((row) => row.length !== 2).map((row) => header.map((_, i) => row[i] ?? '')),
  );
  return [table, ...told].join('\n');
}
