// The list of places on the page.

import { byId } from '../shared/page.ts';
import type { KeptRecording, Place } from './store.ts';

interface PlaceActions {
  readonly onRecord: (place: Place) => void;
  readonly onFiles: (place: Place, files: readonly File[]) => void;
  readonly onDelete: (place: Place) => void;
  readonly onDeleteRecording: (place: Place, recording: KeptRecording) => void;
}

export const secondsOf = ({ recordings }: Place): number =>
  recordings.reduce((sum, { seconds }) => sum + seconds.length, 0);

/** Shows the places; `busy` disables what would disturb. */
export function showPlaces(places: readonly Place[], busy: boolean, actions: PlaceActions): void {
  const focused = document.activeElement?.id;
  const open = new Set([...document.querySelectorAll('#places details[open]')].map(({ id }) => id));
  byId('places', 'ul').replaceChildren(...places.map((place, i) => itemOf(place, i, busy, actions)));
  for (const details of document.querySelectorAll<HTMLDetailsElement>('#places details'))
    details.open = open.has(details.id);
  if (focused) document.getElementById(focused)?.focus();
}

function itemOf(place: Place, index: number, busy: boolean, actions: PlaceActions): HTMLLIElement {
  const item = document.createElement('li');
  const title = Object.assign(document.createElement('h3'), {
    textContent: place.name,
    id: `place-${index}`,
  });
  const count = place.recordings.length;
  const facts = Object.assign(document.createElement('p'), {
    className: 'quiet',
    textContent: `${secondsOf(place)} s in ${count} ${count === 1 ? 'recording' : 'recordings'}`,
  });
  const row = Object.assign(document.createElement('div'), { className: 'row' });
  const record = button(`record-${index}`, 'Record 10 s', `Record 10 s of ${place.name}`, () =>
    actions.onRecord(place),
  );
  const input = Object.assign(document.createElement('input'), {
    id: `files-${index}`,
    type: 'file',
    className: 'unseen',
    accept: 'audio/*,video/*',
    multiple: true,
    disabled: busy,
    onchange: () => actions.onFiles(place, [...(input.files ?? [])]),
  });
  const label = Object.assign(document.createElement('label'), {
    className: 'button',
    htmlFor: input.id,
    textContent: 'Add files',
  });
  label.append(hidden(` to ${place.name}`));
  const remove = button(`delete-${index}`, 'Delete', `Delete ${place.name}`, () => actions.onDelete(place));
  record.disabled = remove.disabled = busy;
  row.append(record, label, input, remove);
  item.append(title, facts, row);
  if (count > 0) item.append(recordingsOf(place, index, busy, actions));
  return item;
}

function recordingsOf(place: Place, index: number, busy: boolean, actions: PlaceActions): HTMLDetailsElement {
  const details = Object.assign(document.createElement('details'), { id: `recordings-${index}` });
  const summary = Object.assign(document.createElement('summary'), { textContent: 'Recordings' });
  const list = document.createElement('ul');
  place.recordings.forEach((recording, i) => {
    const item = document.createElement('li');
    const remove = button(`delete-${index}-${i}`, 'Delete', `Delete ${recording.name} of ${place.name}`, () =>
      actions.onDeleteRecording(place, recording),
    );
    remove.disabled = busy;
    item.append(`${recording.name}, ${recording.seconds.length} s`, remove);
    list.append(item);
  });
  details.append(summary, list);
  return details;
}

function button(id: string, text: string, name: string, onclick: () => void): HTMLButtonElement {
  const made = Object.assign(document.createElement('button'), {
    id,
    type: 'button',
    textContent: text,
    onclick,
  });
  made.setAttribute('aria-label', name);
  return made;
}

/** Text for screen readers alone. */
function hidden(text: string): HTMLSpanElement {
  return Object.assign(document.createElement('span'), { className: 'unseen', textContent: text });
}
