// A bar for each scene.

import type { SceneResult } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';

const words = (scene: string): string => scene.replaceAll('_', ' ');

/** Shows the probabilities of a second; the likeliest scene stands out. */
export function showScenes({ names, probabilities, scene }: SceneResult): void {
  const list = byId('scenes', 'ol');
  if (list.children.length !== names.length) list.replaceChildren(...names.map(makeRow));
  names.forEach((name, i) => {
    const row = list.children[i];
    if (!(row instanceof HTMLLIElement)) return;
    const probability = probabilities[i] ?? 0;
    row.toggleAttribute('data-best', name === scene);
    const [meter, output] = [row.querySelector('meter'), row.querySelector('output')];
    if (meter !== null) meter.value = probability;
    if (output !== null) output.textContent = `${Math.round(100 * probability)} %`;
  });
}

function makeRow(name: string): HTMLLIElement {
  const row = document.createElement('li');
  const label = document.createElement('label');
  const meter = Object.assign(document.createElement('meter'), { id: `scene-${name}`, max: 1 });
  label.htmlFor = meter.id;
  label.textContent = words(name);
  row.append(label, meter, document.createElement('output'));
  return row;
}
