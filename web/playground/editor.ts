// The code of the page: a text field, and an editor in its place once that is loaded.

import { byId } from '../shared/page.ts';

const LABEL = 'Code';

export interface Editor {
  code(): string;
  set(code: string): void;
  /** Selects a line, from 1. */
  goTo(line: number): void;
  /** The first line that is no JavaScript; null if all is, or the editor is not loaded. */
  wrongLine(): number | null;
}

/** `changed` is told the code after each change; `run` is called for Ctrl+Enter. */
export function openEditor(changed: (code: string) => void, run: () => void): Editor {
  const [place, field] = [byId('editor', 'div'), byId('code', 'textarea')];
  field.addEventListener('input', () => changed(field.value));
  place.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation();
      run();
    },
    { capture: true },
  );
  const plain: Editor = {
    code: () => field.value,
    set: (code) => (field.value = code),
    goTo: (line) => {
      const lines = field.value.split('\n');
      const from = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
      field.focus();
      field.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    },
    wrongLine: () => null,
  };
  let editor = plain;
  void import('./codemirror.ts').then(
    ({ openCodeMirror, wrongLine }) => {
      const focused = document.activeElement === field;
      const mirror = openCodeMirror(place, field.value, LABEL, changed);
      editor = { ...mirror, wrongLine: () => wrongLine(mirror.code()) };
      field.hidden = true;
      if (focused) place.querySelector<HTMLElement>('.cm-content')?.focus();
      place.dataset['editor'] = 'loaded';
    },
    () => undefined, // the text field does
  );
  return {
    code: () => editor.code(),
    set: (code) => editor.set(code),
    goTo: (line) => editor.goTo(line),
    wrongLine: () => editor.wrongLine(),
  };
}
