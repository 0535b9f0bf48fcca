// What was fused and why, in sentences.

import type { Inspection } from 'wavelight/inspect';
import { counted, element } from '../html.ts';
import { worksOf } from './plan.ts';

/** `runs` is whether the device runs this plan; `alone` is the plan of each op by itself. */
export function showFused(panel: HTMLElement, fused: Inspection, alone: Inspection, runs: boolean): void {
  const { operations, dispatches, fusions } = fused;
  const items = fusions.map(({ sentence, dispatches: where }) => {
    const places = where.flatMap((index) => {
      const dispatch = dispatches[index];
      return dispatch === undefined ? [] : [`${index + 1}. ${dispatch.kernel}: ${worksOf(fused, dispatch)}`];
    });
    return element('li', [
      sentence,
      element('details', [
        element('summary', `in ${where.length} of ${dispatches.length}`),
        element(
          'ul',
          places.map((place) => element('li', place)),
          { className: 'quiet' },
        ),
      ]),
    ]);
  });
  const free = operations.filter((operation) => operation.dispatches.length === 0);
  const names = [...new Set(free.map(({ name }) => name))].join(', ');
  panel.replaceChildren(
    element(
      'p',
      `${counted(operations.length, 'op')} take ${dispatches.length} dispatches together, ${alone.dispatches.length} each by itself.`,
    ),
    ...(runs
      ? []
      : [
          element(
            'p',
            'This adapter runs each op by itself, which takes it less time; this is its plan with fusion.',
          ),
        ]),
    ...(free.length > 0
      ? [
          element(
            'p',
            `${counted(free.length, 'op')} take no dispatch: ${names}. They only name memory anew.`,
          ),
        ]
      : []),
    items.length > 0
      ? element('ul', items)
      : element(
          'p',
          'Nothing is fused here: each op is one kernel. Batch norm, concatenations and averages begin fusions.',
        ),
  );
}
