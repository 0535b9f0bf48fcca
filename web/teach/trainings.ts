// The trainings of this visit side by side: curves, a table, and what each switch has changed.

import type { TeachProgress } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';
import { colorOf, drawCurves, type Curve } from './chart.ts';

/** Earlier ones are forgotten, so that curves stay apart. */
const MOST = 4;

export interface Training {
  readonly number: number;
  readonly mixup: boolean;
  readonly augmentation: boolean;
  readonly reports: TeachProgress[];
}

const switches = ({ mixup, augmentation }: Training): string =>
  [mixup ? 'mixup' : '', augmentation ? 'augmentation' : ''].filter(Boolean).join(' and ') || 'neither';

const last = ({ reports }: Training): TeachProgress | undefined => reports.at(-1);
const rightOf = (progress: TeachProgress | undefined): number | null =>
  progress?.heldOut?.accuracy.overall ?? null;
const percent = (share: number | null): string => (share === null ? '–' : `${Math.round(100 * share)} %`);

export class Trainings {
  readonly #all: Training[] = [];
  #count = 0;

  begin(options: Pick<Training, 'mixup' | 'augmentation'>): Training {
    const training = { number: ++this.#count, ...options, reports: [] };
    this.#all.push(training);
    if (this.#all.length > MOST) this.#all.shift();
    return training;
  }

  /** Takes away a training that has taken no step. */
  drop(training: Training): void {
    const at = this.#all.indexOf(training);
    if (at >= 0) this.#all.splice(at, 1);
  }

  show(): void {
    const name = (training: Training): string => `Training ${training.number} with ${switches(training)}`;
    const losses = this.#all.map((training): Curve => ({
      name: name(training),
      points: training.reports.map(({ step, loss }) => [step, loss]),
    }));
    const accuracies = this.#all.map((training): Curve => ({
      name: name(training),
      points: training.reports.flatMap((report) => {
        const right = rightOf(report);
        return right === null ? [] : [[report.step, right] as const];
      }),
    }));
    const most = Math.max(0, ...losses.flatMap(({ points }) => points.map(([, loss]) => loss)));
    drawCurves(svg('loss'), losses, { title: 'Loss', max: most, format: (value) => value.toFixed(2) });
    drawCurves(svg('accuracy'), accuracies, { title: 'Held-out seconds right', max: 1, format: percent });
    byId('trainings', 'tbody').replaceChildren(...this.#all.map(rowOf));
    byId('mixup-effect', 'span').textContent = this.#effect('mixup', 'augmentation');
    byId('augmentation-effect', 'span').textContent = this.#effect('augmentation', 'mixup');
  }

  /** What a switch has changed between the last two trainings that differ in it alone. */
  #effect(of: 'mixup' | 'augmentation', other: 'mixup' | 'augmentation'): string {
    const done = this.#all.filter((training) => training.reports.length > 0).reverse();
    const partner = (one: Training): Training | undefined =>
      done.find((training) => !training[of] && training[other] === one[other]);
    const on = done.find((training) => training[of] && partner(training) !== undefined);
    const off = on && partner(on);
    if (on === undefined || off === undefined) return 'Train with and without it to see what it changes.';
    const words = (training: Training): string =>
      `${percent(rightOf(last(training)))} and log loss ${last(training)?.heldOut?.logLoss.toFixed(2) ?? '–'}`;
    return `Held-out seconds, right: ${words(on)} with it, ${words(off)} without.`;
  }
}

function rowOf(training: Training, index: number): HTMLTableRowElement {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  const swatch = document.createElement('span');
  swatch.className = 'swatch';
  swatch.style.borderColor = colorOf(index);
  head.append(swatch, String(training.number));
  const progress = last(training);
  row.append(head);
  for (const text of [
    switches(training),
    String(progress?.step ?? 0),
    progress?.loss.toFixed(3) ?? '–',
    percent(rightOf(progress)),
  ])
    row.insertCell().textContent = text;
  return row;
}

function svg(id: string): SVGSVGElement {
  const found = document.querySelector<SVGSVGElement>(`svg#${id}`);
  if (found === null) throw new Error(`the page has no svg #${id}`);
  return found;
}
