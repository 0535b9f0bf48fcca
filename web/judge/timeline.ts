// The seconds of a recording side by side, and as a table to download.

import type { SceneInput, SceneResult } from 'wavelight/avsc';
import { byId } from '../shared/page.ts';

interface JudgedSecond {
  readonly input: SceneInput;
  readonly result: SceneResult;
}

/** Shows the seconds one after the other as they are judged; `onChoose` is told which one was clicked. */
export class Timeline {
  readonly #name: string;
  readonly #seconds: JudgedSecond[] = [];
  readonly #onChoose: (second: number, judged: JudgedSecond) => void;

  constructor(name: string, onChoose: (second: number, judged: JudgedSecond) => void) {
    this.#name = name;
    this.#onChoose = onChoose;
    byId('cells', 'div').replaceChildren();
    byId('timeline', 'section').hidden = false;
    byId('download', 'button').onclick = () => this.#download();
  }

  add(judged: JudgedSecond): void {
    const second = this.#seconds.push(judged) - 1;
    const cell = document.createElement('button');
    const { scene, probability } = judged.result;
    cell.textContent = `${second} s: ${scene.replaceAll('_', ' ')}`;
    cell.title = `${Math.round(100 * probability)} %`;
    cell.onclick = () => this.choose(second);
    byId('cells', 'div').append(cell);
  }

  /** Marks a second and tells of it. */
  choose(second: number): void {
    const judged = this.#seconds[second];
    if (judged === undefined) return;
    [...byId('cells', 'div').children].forEach((cell, i) =>
      cell.setAttribute('aria-pressed', String(i === second)),
    );
    this.#onChoose(second, judged);
  }

  #download(): void {
    const [first] = this.#seconds;
    if (first === undefined) return;
    const rows = this.#seconds.map(({ result: { scene, probabilities } }, second) =>
      [second, scene, ...[...probabilities].map((value) => value.toFixed(6))].join(),
    );
    const table = [['second', 'scene', ...first.result.names].join(), ...rows].join('\n');
    const url = URL.createObjectURL(new Blob([`${table}\n`], { type: 'text/csv' }));
    Object.assign(document.createElement('a'), { href: url, download: `${this.#name}.csv` }).click();
    URL.revokeObjectURL(url);
  }
}
