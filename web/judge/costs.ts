// What a second costs: milliseconds by stage, memory, and on which adapter.

import type { StageTimes } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';

interface Costs extends StageTimes {
  /** Grad-CAM and gradients; 0 where they are not shown. */
  readonly explanation: number;
  readonly drawing: number;
  /** Seconds that were left out since the last one that was judged. */
  readonly dropped: number;
  /** Of the device's memory, in bytes. */
  readonly held: number;
  readonly adapter: string;
}

export function showCosts(costs: Costs): void {
  const { sound, pictures, nets, explanation, drawing } = costs;
  const total = sound + pictures + nets + explanation + drawing;
  const milliseconds = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  const rows = {
    'Features of the sound': milliseconds(sound),
    'Reading the pictures': milliseconds(pictures),
    'The nets': milliseconds(nets),
    'Where they look': milliseconds(explanation),
    Drawing: milliseconds(drawing),
    'All of it': `${milliseconds(total)} for one second`,
    'Seconds left out': String(costs.dropped),
    Adapter: costs.adapter,
    'Memory held': `${(costs.held / 2 ** 20).toFixed(1)} MiB`,
  };
  byId('facts', 'dl').replaceChildren(
    ...Object.entries(rows).flatMap(([name, value]) => [
      Object.assign(document.createElement('dt'), { textContent: name }),
      Object.assign(document.createElement('dd'), { textContent: value }),
    ]),
  );
}
