// The editor's own library, loaded when the page has been shown.

import { javascript, javascriptLanguage } from '@codemirror/lang-javascript';
import { basicSetup, EditorView } from 'codemirror';

/** Shows an editor in `parent`; `changed` is told the code after each change by hand. */
export function openCodeMirror(
  parent: HTMLElement,
  code: string,
  label: string,
  changed: (code: string) => void,
): { code(): string; set(code: string): void; goTo(line: number): void } {
  const view = new EditorView({
    parent,
    doc: code,
    extensions: [
      basicSetup,
      javascript(),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed(update.state.doc.toString());
      }),
    ],
  });
  return {
    code: () => view.state.doc.toString(),
    set: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    goTo: (number) => {
      const { from, to } = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines));
      view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from) });
      view.focus();
    },
  };
}

/** The first line that is no JavaScript; null if all is. */
export function wrongLine(code: string): number | null {
  const errors: number[] = [];
  javascriptLanguage.parser.parse(code).iterate({
    enter: ({ type, from }) => {
      if (type.isError) errors.push(from);
    },
  });
  return errors.length === 0 ? null : code.slice(0, Math.min(...errors)).split('\n').length;
}
