// report.html of one run.

import type { Metrics } from '../../training/metrics.ts';
import { augmentationSection, exampleSection } from './run-samples.ts';
import { classSection, confusionSection } from './run-classes.ts';
import { epochSection, lossSection, timeSection } from './run-curves.ts';
import { colorsOf, colorVariable } from './colors.ts';
import type { RunReport } from './data.ts';
import { facts, renderDocument, type Section } from './document.ts';
import { count, dateText, large, percent } from './format.ts';
import { html, Html } from './html.ts';

/**
 * The page of a run: one HTML document that loads nothing. Sections without data are left out.
 * Throws an Error if `results` lacks the final model, and a TypeError for an image that is not a data: URI.
 */
export async function renderRunReport(report: RunReport): Promise<string> {
  const models = modelsOf(report);
  const colors = colorsOf(models);
  const sections: (Section | null)[] = [
    resultSection(report, models, colors),
    lossSection(report, colors),
    epochSection(report, colors),
    classSection(report, models, colors),
    confusionSection(report, models),
    exampleSection(report, models, colors),
    augmentationSection(report),
    timeSection(report, colors),
    experimentSection(report),
  ];
  return renderDocument({
    title: report.title,
    header: header(report),
    sections: sections.filter((section) => section !== null),
    colors,
  });
}

/** Ids of all models: the stages in their order, then what else has a result. */
function modelsOf({ stages, results }: RunReport): string[] {
  return [...new Set([...stages.map(({ id }) => id), ...Object.keys(results)])];
}

function header({ title, description, data, device, finished }: RunReport): Html {
  return html`<header>
    <div class="eyebrow">Training run</div>
    <h1>${title}</h1>
    <p>${description}</p>
    ${facts([
      ['Data', data],
      ['Device', device],
      ['Finished', html`<time datetime="${finished}">${dateText(finished)}</time>`],
    ])}
  </header>`;
}

function resultSection(
  { stages, results, final, scenes }: RunReport,
  models: readonly string[],
  colors: ReadonlyMap<string, number>,
): Section {
  const metrics = results[final];
  if (metrics === undefined) {
    throw new Error(
      `the report's final model is ${final}, but there are results of ${Object.keys(results).join(', ')} only`,
    );
  }
  const rows = models.map((id) => {
    const stage = stages.find((stage) => stage.id === id);
    const { [id]: result } = results;
    return html`<tr${new Html(id === final ? ' class="final"' : '')}>
<th scope="row" class="text"><i class="dot" style="--color: ${colorVariable(colors.get(id) ?? 0)}"></i><b>${id}</b><small>${stage?.what ?? ''}</small></th>
${resultCells(result)}
<td>${stage === undefined ? '' : large(stage.parameters)}</td>
<td>${stage === undefined ? '' : stage.trained === stage.parameters ? 'all' : large(stage.trained)}</td>
</tr>`;
  });
  return {
    id: 'result',
    title: 'Result',
    charts: [],
    body: html`<h2>Result on the evaluation split</h2>
      <div class="figures">
        <div class="figure">
          <b>${(100 * metrics.accuracy.macro).toFixed(1)} <small>%</small></b
          ><span>Accuracy, mean of classes</span><em>${percent(metrics.accuracy.overall)} of all samples</em>
        </div>
        <div class="figure">
          <b>${metrics.logLoss.toFixed(3)}</b><span>Log loss</span
          ><em>guessing gives ${Math.log(scenes.length).toFixed(3)}</em>
        </div>
        <div class="figure">
          <b>${count(metrics.count)}</b><span>Samples</span><em>one second of a clip each</em>
        </div>
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">Accuracy, mean of classes</th>
              <th scope="col">Accuracy, all samples</th>
              <th scope="col">Log loss</th>
              <th scope="col">Parameters</th>
              <th scope="col">Trained</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>`,
  };
}

function resultCells(metrics: Metrics | undefined): Html {
  if (metrics === undefined)
    return html`<td class="soft">–</td>
      <td class="soft">–</td>
      <td class="soft">–</td>`;
  const { accuracy, logLoss } = metrics;
  return html`<td>${percent(accuracy.macro)}</td>
    <td>${percent(accuracy.overall)}</td>
    <td>${logLoss.toFixed(4)}</td>`;
}

function experimentSection({ experiment }: RunReport): Section {
  return {
    id: 'experiment',
    title: 'Experiment',
    charts: [],
    body: html`<h2>Experiment</h2>
      <details>
        <summary>All settings as JSON</summary>
        <pre>${JSON.stringify(experiment, null, 2)}</pre>
      </details>`,
  };
}
