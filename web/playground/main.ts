// The page: an example in an editor, and beside it what its compiled functions do.

import type { Ceilings, Inspection, StepTimes } from 'wavelight/inspect';
import { byId, explainProblem, missingWebGpu, say } from '../shared/page.ts';
import { openEditor, type Editor } from './editor.ts';
import { EXAMPLES, titleOf } from './examples.ts';
import { element } from './html.ts';
import { keep, kept } from './kept.ts';
import type { News, SeenStep } from './protocol.ts';
import { start, stop } from './runner.ts';
import { codeIn, linkTo } from './share.ts';
import { openTabs } from './tabs.ts';
import { showFused } from './views/fused.ts';
import { showKernels } from './views/kernels.ts';
import { showMemory } from './views/memory.ts';
import { showPlan } from './views/plan.ts';
import { showRoofline } from './views/roofline.ts';

/** Name of code that came with a link. */
const SHARED = 'shared';
const NOTHING_YET = 'Run an example: each function that device.compile makes shows itself here.';

const [runButton, stopButton, measureButton] = ['run', 'stop', 'measure'].map((id) => byId(id, 'button')) as [
  HTMLButtonElement,
  HTMLButtonElement,
  HTMLButtonElement,
];
const [exampleSelect, stepSelect, variantSelect] = ['example', 'step', 'variant'].map((id) =>
  byId(id, 'select'),
) as [HTMLSelectElement, HTMLSelectElement, HTMLSelectElement];
const output = byId('output', 'div');

/** What the last run has told. */
let steps: SeenStep[] = [];
const times = new Map<number, StepTimes | string>();
let measured: { readonly adapter: string; readonly ceilings: Ceilings } | null = null;
/** Code that came with a link. */
let shared: string | null = null;
let failed = false;

async function main(): Promise<void> {
  for (const [name, code] of EXAMPLES)
    exampleSelect.append(element('option', titleOf(code), { value: name }));
  shared = await codeIn(location.hash).catch((error: unknown) => {
    say(explainProblem(error), 'problem');
    return null;
  });
  if (shared !== null) exampleSelect.append(element('option', 'From the link', { value: SHARED }));
  const editor = openEditor(
    (code) => keep(exampleSelect.value, code, originalOf(exampleSelect.value)),
    () => run(editor),
  );
  exampleSelect.onchange = () => choose(editor, exampleSelect.value);
  runButton.onclick = () => run(editor);
  stopButton.onclick = () => {
    stop();
    working(false);
    say('Stopped.');
  };
  byId('reset', 'button').onclick = () => {
    const code = originalOf(exampleSelect.value);
    editor.set(code);
    keep(exampleSelect.value, code, code);
  };
  byId('link', 'button').onclick = () => void copyLink(editor);
  measureButton.onclick = () => measure();
  stepSelect.onchange = show;
  variantSelect.onchange = show;
  // Another link was followed.
  addEventListener('hashchange', () => location.reload());
  openTabs(byId('tabs', 'div'));
  choose(editor, shared === null ? nameInHash() : SHARED);
  show();
  const missing = missingWebGpu();
  if (missing !== null) say(missing, 'problem');
}

/** The example that `#example=NAME` names, or the first. */
function nameInHash(): string {
  const name = new URLSearchParams(location.hash.slice(1)).get('example') ?? '';
  return EXAMPLES.has(name) ? name : ([...EXAMPLES.keys()][0] ?? '');
}

const originalOf = (name: string): string => (name === SHARED ? (shared ?? '') : (EXAMPLES.get(name) ?? ''));

function choose(editor: Editor, name: string): void {
  exampleSelect.value = name;
  byId('stranger', 'p').hidden = name !== SHARED;
  // Before the editor is told of the new code, which keeps it under the new name.
  editor.set(name === SHARED ? originalOf(name) : (kept(name) ?? originalOf(name)));
}

function working(busy: boolean): void {
  stopButton.disabled = !busy;
  measureButton.disabled = busy;
}

function run(editor: Editor): void {
  const missing = missingWebGpu();
  if (missing !== null) {
    say(missing, 'problem');
    return;
  }
  output.replaceChildren();
  steps = [];
  times.clear();
  failed = false;
  stepSelect.replaceChildren();
  show();
  const picture = element('canvas', '', { width: 256, height: 256 });
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', 'What the code draws');
  const code = editor.code();
  byId('picture', 'figure').replaceChildren(...(/['"]playground['"]/.test(code) ? [picture] : []));
  const canvas = picture.transferControlToOffscreen();
  working(true);
  say('Running …');
  start({ do: 'run', code, canvas }, (news) => hear(news, editor), [canvas]);
}

function measure(): void {
  failed = false;
  working(true);
  say('Measuring this device …');
  start({ do: 'measure' }, (news) => hear(news, null));
}

function hear(news: News, editor: Editor | null): void {
  switch (news.kind) {
    case 'line':
      print(news.level, news.text);
      break;
    case 'step':
      steps.push(news.step);
      stepSelect.append(
        element('option', `${news.step.index + 1}: inputs ${news.step.inputs || 'none'}`, {
          value: String(news.step.index),
        }),
      );
      show();
      break;
    case 'ended':
      if (!failed) say(`Ended after ${(news.milliseconds / 1000).toFixed(2)} s. Timing its kernels …`);
      break;
    case 'times':
      times.set(news.index, news.times);
      show();
      break;
    case 'ceilings':
      measured = news;
      show();
      break;
    case 'problem':
      failed = true;
      report(news, editor);
      break;
    case 'done':
      working(false);
      if (!failed) say(steps.length > 0 && editor !== null ? 'Done: its plan is beside the code.' : 'Done.');
      break;
  }
}

function report({ message, line, syntax }: News & { kind: 'problem' }, editor: Editor | null): void {
  const at = line ?? (syntax ? (editor?.wrongLine() ?? null) : null);
  print('error', at === null ? message : `Line ${at}: ${message}`);
  if (at !== null && editor !== null) {
    const button = element('button', `Go to line ${at}`, { type: 'button' });
    button.onclick = () => editor.goTo(at);
    output.append(button);
  }
  say(at === null ? `It failed: ${message}` : `It failed in line ${at}: ${message}`, 'problem');
}

function print(level: 'log' | 'warn' | 'error', text: string): void {
  output.append(element('div', text, { className: level }));
  output.scrollTop = output.scrollHeight;
}

/** Shows the chosen function in all tabs. */
function show(): void {
  const step = steps[stepSelect.selectedIndex];
  stepSelect.disabled = variantSelect.disabled = step === undefined;
  const [plan, kernels, memory, fused] = [
    byId('plan', 'div'),
    byId('kernels', 'div'),
    byId('memory', 'div'),
    byId('fused', 'div'),
  ];
  if (step === undefined)
    for (const panel of [plan, kernels, memory, fused]) panel.replaceChildren(element('p', NOTHING_YET));
  else {
    const [together, alone] = step.plan.fusion ? [step.plan, step.other] : [step.other, step.plan];
    const chosen = chosenPlan(step, together, alone);
    showPlan(plan, chosen);
    showMemory(memory, chosen);
    showKernels(
      kernels,
      step.plan,
      times.get(step.index) ?? 'The kernels are timed when the code has ended.',
    );
    showFused(fused, together, alone, step.plan.fusion);
  }
  if (measured === null) return;
  const known = step === undefined ? undefined : times.get(step.index);
  const { adapter, ceilings } = measured;
  showRoofline(
    byId('chart', 'div'),
    adapter,
    ceilings,
    step?.plan ?? null,
    typeof known === 'object' ? known : null,
  );
}

function chosenPlan(step: SeenStep, together: Inspection, alone: Inspection): Inspection {
  if (variantSelect.value === 'device') return step.plan;
  return variantSelect.value === 'fused' ? together : alone;
}

async function copyLink(editor: Editor): Promise<void> {
  try {
    const link = await linkTo(editor.code());
    history.replaceState(null, '', link);
    await navigator.clipboard.writeText(link);
    say('The link is copied: it holds the code, and runs nothing by itself.');
  } catch {
    say('The link is in the address bar: copy it from there.');
  }
}

main().catch((error: unknown) => say(explainProblem(error), 'problem'));
