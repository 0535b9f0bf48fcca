// Sections of a run's report about the classes: accuracies and confusion matrices.

import { colorVariable } from './colors.ts';
import type { RunReport } from './data.ts';
import type { Metrics } from '../../training/metrics.ts';
import { chart, chartHost, type Section } from './document.ts';
import { count, percent, words } from './format.ts';
import { html, type Html } from './html.ts';
import { classChart } from './page/class-chart.ts';
import { confusionChart } from './page/confusion-chart.ts';

export function classSection(
  { results, final }: RunReport,
  models: readonly string[],
  colors: ReadonlyMap<string, number>,
): Section {
  const measured = models.flatMap((model) => withMetrics(model, results[model]));
  const finals = results[final]?.classes ?? [];
  const sorted = [...finals]
    .filter(({ accuracy }) => accuracy !== null)
    .sort((a, b) => (b.accuracy ?? 0) - (a.accuracy ?? 0))
    .map(({ name }) => name);
  const empty = finals.filter(({ accuracy }) => accuracy === null).map(({ name }) => words(name));
  const bars = measured.flatMap(({ model, metrics }) =>
    metrics.classes.flatMap(({ name, accuracy, logLoss, count }) =>
      accuracy === null || logLoss === null ? [] : [{ model, name, accuracy, logLoss, count }],
    ),
  );
  const height = 32 + sorted.length * (18 + 14 * measured.length);
  return {
    id: 'classes',
    title: 'Classes',
    charts: [
      chart(classChart, {
        id: 'class-chart',
        height,
        models: measured.map(({ model }) => model),
        classes: sorted,
        bars,
      }),
    ],
    body: html`<h2>Accuracy by class</h2>
      <p>
        Sorted by the accuracy of ${final}. ${empty.length === 0 ? '' : `No sample of ${empty.join(', ')}.`}
      </p>
      <div class="legend">
        ${measured.map(
          ({ model }) =>
            html`<span
              ><i class="dot" style="--color: ${colorVariable(colors.get(model) ?? 0)}"></i>${model}</span
            >`,
        )}
      </div>
      ${chartHost('class-chart', height, 'Accuracy of each model by class')}
      <details>
        <summary>As a table</summary>
        <div class="scroll">${classTable(sorted, measured)}</div>
      </details>`,
  };
}

interface Measured {
  readonly model: string;
  readonly metrics: Metrics;
}

const withMetrics = (model: string, metrics: Metrics | undefined): Measured[] =>
  metrics === undefined ? [] : [{ model, metrics }];

function classTable(names: readonly string[], measured: readonly Measured[]): Html {
  const rows = names.map((name) => {
    const cells = measured.map(({ metrics }) => {
      const { accuracy = null, logLoss = null } = metrics.classes.find((entry) => entry.name === name) ?? {};
      return html`<td>${accuracy === null ? '–' : percent(accuracy)}</td>
        <td>${logLoss === null ? '–' : logLoss.toFixed(4)}</td>`;
    });
    const size = measured[0]?.metrics.classes.find((entry) => entry.name === name)?.count ?? 0;
    return html`<tr>
      <th scope="row" class="text">${words(name)}</th>
      ${cells}
      <td>${count(size)}</td>
    </tr>`;
  });
  const heads = measured.map(
    ({ model }) =>
      html`<th scope="col">${model}, accuracy</th>
        <th scope="col">${model}, log loss</th>`,
  );
  return html`<table>
    <thead>
      <tr>
        <th scope="col" class="text">Scene</th>
        ${heads}
        <th scope="col">Samples</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

export function confusionSection({ results, final }: RunReport, models: readonly string[]): Section {
  const measured = models.flatMap((model) => withMetrics(model, results[model]));
  const { [final]: metrics } = results;
  const classes = metrics?.classes.map(({ name }) => name) ?? [];
  const matrices = measured.map(({ model, metrics }) => ({ model, confusion: metrics.confusion }));
  return {
    id: 'confusion',
    title: 'Confusion',
    charts: [chart(confusionChart, { id: 'confusion-chart', classes, matrices })],
    body: html`<h2>Confusion matrix</h2>
      <p>Rows are the true scenes, columns what the model recognized, in % of the row.</p>
      <div class="segments" id="confusion-chart-controls" role="radiogroup" aria-label="Model">
        ${measured.map(
          ({ model }) =>
            html`<label
              ><input
                type="radio"
                name="confusion-chart-model"
                value="${model}"
                autocomplete="off"
                ${model === final ? html` checked` : null}
              /><span>${model}</span></label
            >`,
        )}
      </div>
      <div class="beside">
        ${chartHost('confusion-chart', 480, 'Confusion matrix of the chosen model', 'matrix')}
        ${metrics === undefined ? null : mistakeTable(final, metrics)}
      </div>`,
  };
}

/** How many of the most frequent mistakes are listed. */
const MISTAKES = 10;

/** The most frequent mistakes, as parts of their classes. */
function mistakeTable(model: string, { confusion, classes }: Metrics): Html | null {
  const mistakes = confusion.flatMap((row, t) => {
    const total = row.reduce((sum, value) => sum + value, 0);
    return row.flatMap((value, p) => (p === t || value === 0 ? [] : [{ t, p, share: value / total }]));
  });
  if (mistakes.length === 0) return null;
  const name = (index: number): string => words(classes[index]?.name ?? '');
  const rows = mistakes
    .sort((a, b) => b.share - a.share)
    .slice(0, MISTAKES)
    .map(
      ({ t, p, share }) =>
        html`<tr>
          <th scope="row">${name(t)}<small>taken for ${name(p)}</small></th>
          <td>${percent(share)}</td>
        </tr>`,
    );
  return html`<div>
    <h3>Most frequent mistakes of ${model}</h3>
    <table>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
