// Times of kernels, and how they share the call.

import type { Inspection, StepTimes } from 'wavelight/inspect';
import { amount, element, percent, table } from '../html.ts';
import { worksOf } from './plan.ts';

/** `times` is a sentence where there are none. */
export function showKernels(panel: HTMLElement, plan: Inspection, times: StepTimes | string): void {
  if (typeof times === 'string') {
    panel.replaceChildren(element('p', times));
    return;
  }
  const { milliseconds, dispatches, note } = times;
  const head = [
    element('p', `A call takes ${milliseconds.toFixed(2)} ms on ${plan.adapter} (median).`),
    ...(note === null ? [] : [element('p', note)]),
  ];
  if (dispatches === null) {
    panel.replaceChildren(...head);
    return;
  }
  const total = dispatches.reduce((sum, time) => sum + time, 0);
  const rows = plan.dispatches.map((dispatch, i) => {
    const time = dispatches[i] ?? 0;
    const seconds = time / 1e3;
    const share = total > 0 ? time / total : 0;
    const bar = element('meter', '', { max: 1, value: share });
    bar.setAttribute('aria-label', `Share of the kernels' time: ${percent(share)}`);
    return [
      `${i + 1}. ${dispatch.kernel}`,
      time.toFixed(3),
      bar,
      seconds > 0 ? amount(dispatch.flops / seconds, 'FLOP/s') : '–',
      seconds > 0 ? amount(dispatch.bytes / seconds, 'B/s') : '–',
      worksOf(plan, dispatch),
    ];
  });
  panel.replaceChildren(
    ...head,
    table(
      `Kernels: ${total.toFixed(2)} ms together, each timed by itself`,
      ['Kernel', 'ms', 'Share', 'Arithmetic', 'Moved', 'Ops'],
      rows,
    ),
  );
}
