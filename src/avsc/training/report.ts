// report.html: one self-contained page about a run.

import type { Metrics } from './metrics.ts';
import { confusionChart, escapeHtml, lineChart } from './charts.ts';
import type { Recipe } from './recipe.ts';
import {
  STAGES,
  type EpochRecord,
  type RunRecord,
  type RunResults,
  type Stage,
  type StepRecord,
} from './records.ts';

const COLOURS: Readonly<Record<Stage, string>> = { audio: '#2f7dd1', video: '#d9722b', joint: '#2a9d6f' };

interface ReportInput {
  readonly title: string;
  readonly data: string;
  readonly recipe: Recipe;
  readonly records: readonly RunRecord[];
  readonly results: RunResults;
}

/** The page as text. All names are escaped. */
export function renderReport({ title, data, recipe, records, results }: ReportInput): string {
  const steps = records.filter((record): record is StepRecord => record.kind === 'step');
  const epochs = records.filter((record): record is EpochRecord => record.kind === 'epoch');
  const validated = epochs.filter(({ validation }) => validation !== undefined);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main>
<h1>${escapeHtml(title)}</h1>
<p>Audio-visual scene classification, trained with wavelight. Data: <code>${escapeHtml(data)}</code></p>
<h2>Result on the evaluation split</h2>
${comparison(results)}
<h2>Training loss, step by step</h2>
${lineChart(
  STAGES.map((stage) => ({ name: stage, colour: COLOURS[stage], points: numbered(steps, stage) })),
  'step of the stage',
  'cross-entropy',
)}
<h2>Loss of each epoch</h2>
${lineChart(
  STAGES.map((stage) => ({
    name: stage,
    colour: COLOURS[stage],
    points: perEpoch(epochs, stage, ({ loss }) => loss),
  })),
  'epoch of the stage',
  'mean cross-entropy',
)}
${
  validated.length === 0
    ? ''
    : `<h2>Validation accuracy</h2>${lineChart(
        STAGES.map((stage) => ({
          name: stage,
          colour: COLOURS[stage],
          points: perEpoch(validated, stage, ({ validation }) => validation?.accuracy ?? NaN),
        })),
        'epoch of the stage',
        'accuracy',
      )}`
}
${STAGES.toReversed()
  .map((stage) => modelSection(stage, results[stage]))
  .join('\n')}
<h2>Recipe</h2>
<pre>${escapeHtml(JSON.stringify(recipe, null, 2))}</pre>
</main></body></html>
`;
}

function comparison(results: RunResults): string {
  const rows = STAGES.map((stage) => {
    const { accuracy, logLoss, count } = results[stage];
    return `<tr><th>${stage}</th><td>${percent(accuracy.macro)}</td><td>${percent(accuracy.overall)}</td><td>${logLoss.toFixed(4)}</td><td>${count}</td></tr>`;
  });
  return `<table><thead><tr><th>model</th><th>accuracy, mean of classes</th><th>accuracy, overall</th><th>log loss</th><th>samples</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function modelSection(stage: Stage, metrics: Metrics): string {
  const names = metrics.classes.map(({ name }) => name);
  const rows = metrics.classes.map(
    ({ name, count, accuracy, logLoss }) =>
      `<tr><th>${escapeHtml(name)}</th><td>${accuracy === null ? '' : percent(accuracy)}</td><td>${logLoss === null ? '' : logLoss.toFixed(4)}</td><td>${count}</td></tr>`,
  );
  return `<details${stage === 'joint' ? ' open' : ''}><summary>Class by class: ${stage}</summary>
<div class="pair"><figure>${confusionChart(names, metrics.confusion)}<figcaption>Rows: true scene, columns: recognised scene</figcaption></figure>
<table><thead><tr><th>scene</th><th>accuracy</th><th>log loss</th><th>samples</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`;
}

function numbered(steps: readonly StepRecord[], stage: Stage): { x: number; y: number }[] {
  return steps.filter((step) => step.stage === stage).map(({ loss }, i) => ({ x: i + 1, y: loss }));
}

function perEpoch(
  epochs: readonly EpochRecord[],
  stage: Stage,
  value: (epoch: EpochRecord) => number,
): { x: number; y: number }[] {
  return epochs
    .filter((epoch) => epoch.stage === stage)
    .map((epoch) => ({ x: epoch.epoch, y: value(epoch) }));
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #e6e9ee); --faint: light-dark(#d8dde4, #3a434f); --page: light-dark(#fff, #14181d); }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; max-width: 44rem; font-size: 12px; } svg text { fill: currentColor; }
svg.matrix { max-width: 34rem; } .grid { stroke: var(--faint); } .cell { fill: var(--faint); fill-opacity: .35; }
.share { fill: #2f7dd1; } text.strong { fill: #fff; }
table { border-collapse: collapse; } th, td { padding: .25rem .8rem; border-bottom: 1px solid var(--faint); text-align: right; }
th:first-child { text-align: left; } thead th { font-weight: 600; }
.legend span { margin-right: 1.2rem; } .legend i { display: inline-block; width: 1.1em; height: .25em; margin-right: .4em; vertical-align: middle; }
.pair { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; } figure { margin: 0; flex: 1 1 26rem; }
summary { font-size: 1.2rem; font-weight: 600; margin: 1rem 0; cursor: pointer; } pre { overflow: auto; }
`;
