// Where the memory of a call goes.

import type { InspectedMemory, Inspection } from 'wavelight/inspect';
import { amount, element, svg, table } from '../html.ts';

const MEANING: Readonly<Record<string, string>> = {
  input: 'given with each call',
  parameter: 'weights',
  gradient: 'of the weights',
  optimizer: 'moments',
  packed: 'weights as f16',
  statistic: 'running means and variances',
  tensor: 'other tensors from before',
  foreign: "in a buffer of the caller's",
  result: 'outlives the call',
  activation: 'values of forward and backward, at the worst moment',
  workspace: 'partial sums, tables, shared gradients, at the worst moment',
};
const LARGEST = 12;

export function showMemory(panel: HTMLElement, { memory, statistics, dispatches }: Inspection): void {
  const { activation, workspace, dispatch } = memory.peak;
  const all = [
    ...Object.entries(memory.persistent),
    ['activation', activation],
    ['workspace', workspace],
  ] as [string, number][];
  const most = Math.max(1, ...all.map(([, bytes]) => bytes));
  const rows = all.map(([role, bytes]) => {
    const bar = element('meter', '', { max: most, value: bytes });
    bar.setAttribute('aria-label', `${role}: ${amount(bytes, 'bytes')}`);
    return [role, amount(bytes, 'B'), bar, MEANING[role] ?? ''];
  });
  const { arenaBytes, peakLiveBytes, persistentBytes } = statistics;
  const places = memory.places.toSorted((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
  panel.replaceChildren(
    element(
      'p',
      `${amount(persistentBytes, 'B')} stay; within the call ${amount(peakLiveBytes, 'B')} are alive at once at most ` +
        `(${dispatches[dispatch]?.kernel ?? 'nothing'}), packed into ${amount(arenaBytes, 'B')}.`,
    ),
    table('Memory by role', ['Role', 'Size', 'Bar', 'Meaning'], rows),
    ...(memory.live.length > 1 ? [picture(memory)] : []),
    table(
      'Largest buffers within the call',
      ['Buffer', 'Role', 'Size', 'Dispatches', 'Arena', 'Offset'],
      places.map(({ buffer, role, bytes, first, last, arena, offset }) => [
        buffer,
        role,
        amount(bytes, 'B'),
        `${first + 1} to ${last + 1}`,
        arena,
        String(offset),
      ]),
    ),
  );
}

/** What is alive during each dispatch, activations below and workspace on top of them. */
function picture({ live, peak }: InspectedMemory): HTMLElement {
  const [width, height] = [600, 120];
  const most = Math.max(1, peak.activation + peak.workspace);
  const step = width / live.length;
  const area = (upper: (at: (typeof live)[number]) => number): string => {
    const points = live.flatMap((at, i) => {
      const y = height - (height * upper(at)) / most;
      return [`${(i * step).toFixed(1)},${y.toFixed(1)}`, `${((i + 1) * step).toFixed(1)},${y.toFixed(1)}`];
    });
    return [`0,${height}`, ...points, `${width},${height}`].join(' ');
  };
  const label = `Memory alive during each of ${live.length} dispatches: at most ${amount(most, 'bytes')}, in dispatch ${peak.dispatch + 1}`;
  const drawn = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label }, [
    svg('polygon', {
      class: 'workspace',
      points: area(({ activation, workspace }) => activation + workspace),
    }),
    svg('polygon', { class: 'activation', points: area(({ activation }) => activation) }),
  ]);
  return element('figure', [
    drawn,
    element('figcaption', 'Alive during each dispatch, first to last: activations below, workspace on top.'),
  ]);
}
