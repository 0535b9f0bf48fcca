// The editor's own library, loaded when the page has been shown.

import { javascript, javascriptLanguage } from '@codemirror/lang-javascript';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { tags } from '@lezer/highlight';
import { basicSetup, EditorView } from 'codemirror';

/** Colors of at least 4.5 : 1 on the grounds of both schemes. */
const COLORS = HighlightStyle.define([
  { tag: tags.keyword, color: 'light-dark(#8a1fa0, #d9a0f0)' },
  {
    tag: [tags.string, tags.special(tags.string), tags.regexp, tags.escape],
    color: 'light-dark(#9a3412, #f0b090)',
  },
  { tag: [tags.number, tags.bool, tags.null], color: 'light-dark(#0b6b3a, #8fd6a8)' },
  { tag: tags.comment, color: 'var(--quiet)' },
  {
    tag: [tags.definition(tags.variableName), tags.function(tags.variableName)],
    color: 'light-dark(#0a4fa0, #9cc4ff)',
  },
]);

const SELECTION = 'light-dark(#c4e2ea, #24505a)';
const MARK = 'light-dark(#0a61731a, #5cc4d826)';
const raised = { backgroundColor: 'var(--raised)', color: 'var(--text)', borderColor: 'var(--line)' };

const THEME = EditorView.theme({
  '&': {
    maxHeight: '34rem',
    border: '1px solid var(--line)',
    backgroundColor: 'var(--raised)',
    color: 'var(--text)',
  },
  '&.cm-focused': { outline: '3px solid var(--accent)' },
  '.cm-gutters': { backgroundColor: 'var(--ground)', color: 'var(--quiet)', borderColor: 'var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter, .cm-selectionMatch': { backgroundColor: MARK },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: SELECTION },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: SELECTION,
  },
  '.cm-panels, .cm-tooltip': raised,
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--accent)',
    color: 'var(--on-accent)',
  },
  '.cm-foldPlaceholder, .cm-button, .cm-textfield': { ...raised, backgroundImage: 'none' },
});

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
      syntaxHighlighting(COLORS),
      THEME,
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
