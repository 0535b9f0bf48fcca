// A bar for each scene.

import { byId } from '../shared/page.ts';

/** What a second was judged to be. */
export interface Judged {
  readonly scene: string;
  readonly probability: number;
  readonly probabilities: Float64Array;
  readonly names: readonly string[];
}

/** More classes than these are shown by the likeliest ones. */
const MOST_BARS = 20;
const FEW_BARS = 8;

export const words = (scene: string): string => scene.replaceAll('_', ' ');

export const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** Shows the probabilities of a second; the likeliest scene stands out. */
export function showScenes({ names, probabilities, scene }: Judged): void {
  const list = byId('scenes', 'ol');
  const shown = names.length > MOST_BARS ? likeliest(probabilities, FEW_BARS) : [...names.keys()];
  while (list.children.length > shown.length) list.lastElementChild?.remove();
  while (list.children.length < shown.length) list.append(makeRow(list.children.length));
  shown.forEach((index, i) => {
    const row = list.children[i];
    const name = names[index] ?? '';
    const probability = probabilities[index] ?? 0;
    row?.toggleAttribute('data-best', name === scene);
    const [label, meter, output] = ['label', 'meter', 'output'].map((tag) => row?.querySelector(tag));
    if (label) label.textContent = words(name);
    if (meter instanceof HTMLMeterElement) meter.value = probability;
    if (output) output.textContent = percent(probability);
  });
}

/** Empties the bars: none of them is of the model that is loaded now. */
export function clearScenes(names: readonly string[]): void {
  showScenes({ names, probabilities: new Float64Array(names.length), scene: '', probability: 0 });
}

/** Indices of the highest probabilities, the highest first. */
export const likeliest = (probabilities: ArrayLike<number>, count: number): number[] =>
  Array.from(probabilities, (_, i) => i)
    .sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0))
    .slice(0, count);

function makeRow(number: number): HTMLLIElement {
  const row = document.createElement('li');
  const label = document.createElement('label');
  const meter = Object.assign(document.createElement('meter'), { id: `scene-${number}`, max: 1 });
  label.htmlFor = meter.id;
  const output = document.createElement('output');
  output.htmlFor.add(meter.id);
  row.append(label, meter, output);
  return row;
}
