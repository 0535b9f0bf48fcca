// Which place the held-out seconds were taken for.

import type { Metrics } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';

/** A row for each place, a column for each place that it was taken for. */
export function showConfusion(metrics: Metrics | null): void {
  const table = byId('confusion', 'table');
  table.hidden = metrics === null;
  const [head, body] = [table.tHead, table.tBodies[0]];
  if (metrics === null || head === null || body === undefined) return;
  const names = metrics.classes.map(({ name }) => name);
  const top = document.createElement('tr');
  top.append(headOf('Place', 'col'), ...names.map((name) => headOf(name, 'col')));
  head.replaceChildren(top);
  body.replaceChildren(
    ...metrics.confusion.map((counts, place) => {
      const row = document.createElement('tr');
      row.append(headOf(names[place] ?? '', 'row'));
      counts.forEach((count, taken) => {
        const cell = row.insertCell();
        cell.textContent = String(count);
        cell.toggleAttribute('data-right', taken === place);
      });
      return row;
    }),
  );
}

function headOf(text: string, scope: 'row' | 'col'): HTMLTableCellElement {
  return Object.assign(document.createElement('th'), { textContent: text, scope });
}
