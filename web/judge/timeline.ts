// The seconds of a recording along a line: their probabilities as a picture and as a table, and a player to seek with.

import { byId } from '../shared/page.ts';
import type { Recording } from './recording.ts';
import { likeliest, percent, words, type Judged } from './scenes.ts';

const MOST_ROWS = 10;

/** A new player position counts as the same second until it leaves it. */
export class Timeline {
  readonly #recording: Recording;
  readonly #seconds: Judged[] = [];
  readonly #onChoose: (second: number, judged: Judged) => void;
  readonly #url: string;
  #chosen = -1;

  /** Shows an empty line. `onChoose` is told which second the user went to. */
  constructor(recording: Recording, onChoose: (second: number, judged: Judged) => void) {
    this.#recording = recording;
    this.#onChoose = onChoose;
    this.#url = URL.createObjectURL(recording.media);
    byId('timeline', 'section').hidden = false;
    byId('rows', 'tbody').replaceChildren();
    byId('download', 'button').onclick = () => this.#download();
    const seek = byId('seek', 'input');
    seek.max = String(recording.seconds - 1);
    seek.oninput = () => this.choose(Number(seek.value), true);
    const player = byId('player', 'video');
    player.src = this.#url;
    player.toggleAttribute('data-sound', !recording.hasPictures);
    player.ontimeupdate = () => {
      const second = Math.floor(player.currentTime);
      if (second !== this.#chosen) this.choose(second, false);
    };
    this.#draw();
    this.#mark(0);
  }

  add(judged: Judged): void {
    const second = this.#seconds.push(judged) - 1;
    const row = byId('rows', 'tbody').insertRow();
    for (const text of [`${second}`, words(judged.scene), percent(judged.probability)])
      row.insertCell().textContent = text;
    this.#draw();
    this.#mark(second);
  }

  /** Goes to a second, with the player if `moves`; those that are not judged yet are left alone. */
  choose(second: number, moves: boolean): void {
    const judged = this.#seconds[second];
    if (judged === undefined) return;
    this.#mark(second);
    if (moves) byId('player', 'video').currentTime = second;
    this.#onChoose(second, judged);
  }

  close(): void {
    const player = byId('player', 'video');
    player.ontimeupdate = null;
    player.removeAttribute('src');
    player.load();
    URL.revokeObjectURL(this.#url);
    this.#recording.close();
  }

  #mark(second: number): void {
    this.#chosen = second;
    const seek = byId('seek', 'input');
    seek.value = String(second);
    const judged = this.#seconds[second];
    const text =
      judged === undefined ? '' : `${second}: ${words(judged.scene)}, ${percent(judged.probability)}`;
    byId('at', 'output').textContent = text;
    seek.setAttribute('aria-valuetext', text);
    seek.ariaLabel = 'Second of the recording';
  }

  /** A column for each second, a row for each scene that was likely in any of them, the brighter the likelier. */
  #draw(): void {
    const canvas = byId('course', 'canvas');
    const names = this.#seconds[0]?.names ?? [];
    const most = names.map((_, i) => Math.max(...this.#seconds.map((one) => one.probabilities[i] ?? 0)));
    const rows = likeliest(most, MOST_ROWS).sort((a, b) => a - b);
    byId('course-names', 'ol').replaceChildren(
      ...rows.map((row) =>
        Object.assign(document.createElement('li'), { textContent: words(names[row] ?? '') }),
      ),
    );
    canvas.width = this.#recording.seconds;
    canvas.height = Math.max(1, rows.length);
    canvas.style.height = `${1.25 * canvas.height}rem`;
    const context = canvas.getContext('2d');
    if (context === null) return;
    context.fillStyle = getComputedStyle(canvas).accentColor;
    this.#seconds.forEach(({ probabilities }, second) =>
      rows.forEach((row, y) => {
        context.globalAlpha = probabilities[row] ?? 0;
        context.fillRect(second, y, 1, 1);
      }),
    );
  }

  #download(): void {
    const [first] = this.#seconds;
    if (first === undefined) return;
    const rows = this.#seconds.map(({ scene, probabilities }, second) =>
      [second, cell(scene), ...[...probabilities].map((value) => value.toFixed(6))].join(),
    );
    const table = [['second', 'scene', ...first.names.map(cell)].join(), ...rows].join('\n');
    const url = URL.createObjectURL(new Blob([`${table}\n`], { type: 'text/csv' }));
    Object.assign(document.createElement('a'), {
      href: url,
      download: `${this.#recording.name}.csv`,
    }).click();
    URL.revokeObjectURL(url);
  }
}

/** A text as a cell of a CSV table (RFC 4180). */
const cell = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
