// report.html of one table of the paper: the paper's numbers beside ours.

import type { TableReport, TableReportRow } from './data.ts';
import { chart, chartHost, facts, renderDocument, type Section } from './document.ts';
import { dateText, duration } from './format.ts';
import { html, relativeLink, type Html } from './html.ts';
import { comparisonChart } from './page/comparison-chart.ts';

/** `table1` as 'Table 1 of the paper'; other tables are our own. */
function nameOf(table: string): string {
  const [, number] = /^table(\d)$/.exec(table) ?? [];
  return number === undefined ? 'A table of this project' : `Table ${number} of the paper`;
}

/** The page of a table: one HTML document that loads nothing. Throws a TypeError for a link that is not relative. */
export async function renderTableReport(report: TableReport): Promise<string> {
  return renderDocument({
    title: `${nameOf(report.table)}: ${report.title}`,
    header: header(report),
    sections: [comparisonSection(report), rowsSection(report)],
    colors: new Map(),
  });
}

function header({ table, title, what, data, device, scale, finished }: TableReport): Html {
  return html`<header>
      <div class="eyebrow">${nameOf(table)}</div>
      <h1>${title}</h1>
      <p>${what}</p>
      ${facts([
        ['Data', data],
        ['Device', device],
        ['Scale', scale],
        ['Finished', html`<time datetime="${finished}">${dateText(finished)}</time>`],
      ])}
    </header>
    ${
      scale === 'smoke'
        ? html`<div class="banner" role="note">
            <b>Smoke scale: these numbers mean nothing.</b> Small nets saw little data for a few steps, to
            show that every row runs from end to end. Only <code>--scale full</code> can be compared with the
            paper.
          </div>`
        : null
    }`;
}

function comparisonSection({ rows, scale }: TableReport): Section {
  const height = 40 + rows.length * 40;
  const compared = rows.map(({ id, label, paper, accuracy, status }) => ({
    id,
    label,
    paper,
    ours: accuracy === null ? null : 100 * accuracy,
    status,
  }));
  return {
    id: 'comparison',
    title: 'Comparison',
    charts: [chart(comparisonChart, { id: 'comparison-chart', height, rows: compared })],
    body: html`<h2>The paper and this project</h2>
      ${figures(rows, scale)}
      <div class="legend">
        <span
          ><i
            class="dot"
            style="background: var(--surface); border: 2px solid var(--ink); border-radius: 50%; width: 12px; height: 12px"
          ></i
          >paper</span
        ><span
          ><i class="dot" style="--color: var(--c0); border-radius: 50%; width: 12px; height: 12px"></i
          >ours</span
        >
      </div>
      ${chartHost('comparison-chart', height, 'Accuracy in the paper and ours, by row')}`,
  };
}

function figures(rows: readonly TableReportRow[], scale: TableReport['scale']): Html {
  const count = (status: TableReportRow['status']): number =>
    rows.filter((row) => row.status === status).length;
  const runnable = rows.length - count('quoted');
  const open = [`${count('failed')} failed`, `${count('waiting')} waiting`, `${count('quoted')} quoted`];
  const gaps = rows.flatMap(({ accuracy, paper, label }) =>
    accuracy === null || paper === null ? [] : [{ label, gap: 100 * accuracy - paper }],
  );
  const mean = gaps.reduce((sum, { gap }) => sum + gap, 0) / gaps.length;
  const [widest] = [...gaps].sort((a, b) => Math.abs(b.gap) - Math.abs(a.gap));
  const differences =
    scale === 'smoke' || widest === undefined
      ? null
      : html`<div class="figure">
            <b>${signed(mean)}</b><span>Mean difference, points</span><em>ours less the paper's</em>
          </div>
          <div class="figure">
            <b>${signed(widest.gap)}</b><span>Widest difference, points</span><em>${widest.label}</em>
          </div>`;
  return html`<div class="figures">
    <div class="figure">
      <b>${count('done')} <small>of ${runnable}</small></b
      ><span>Rows done</span><em>${open.join(', ')}</em>
    </div>
    ${differences}
  </div>`;
}

function signed(points: number): string {
  return `${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(1)}`;
}

function rowsSection({ rows, scale }: TableReport): Section {
  const isSmoke = scale === 'smoke';
  return {
    id: 'rows',
    title: 'Rows',
    charts: [],
    body: html`<h2>Row by row</h2>
      <p>
        ${isSmoke ? 'Accuracies of a smoke run show only that the row was trained and evaluated.' : 'Accuracy is the mean of the classes, on the evaluation split.'}
      </p>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col" class="text">Row</th>
              <th scope="col">Paper</th>
              <th scope="col">Ours</th>
              <th scope="col">Difference</th>
              <th scope="col">Log loss</th>
              <th scope="col">Time</th>
              <th scope="col" class="text">Status</th>
            </tr>
          </thead>
          <tbody>
            ${rows.map((row) => tableRow(row, isSmoke))}
          </tbody>
        </table>
      </div>`,
  };
}

function tableRow(row: TableReportRow, isSmoke: boolean): Html {
  const { label, paper, accuracy, accuracies, logLoss, seconds, note, report } = row;
  const none = html`<span class="soft">–</span>`;
  const difference = accuracy === null || paper === null || isSmoke ? none : signed(100 * accuracy - paper);
  return html`<tr>
    <th scope="row" class="text">
      ${report === null ? label : html`<a href="${relativeLink(report)}">${label}</a>`}<small>${note}</small>
    </th>
    <td>${paper === null ? none : `${paper.toFixed(1)} %`}</td>
    <td>${accuracy === null ? none : html`<b>${(100 * accuracy).toFixed(1)} %</b>`}${spread(accuracies)}</td>
    <td>${difference}</td>
    <td>${logLoss === null ? none : logLoss.toFixed(4)}</td>
    <td>${seconds === null ? none : duration(seconds)}</td>
    <td class="text">${statusChip(row.status)}${publishedChip(row.published)}</td>
  </tr>`;
}

/** Standard deviation over the seeds, if there are several. */
function spread(accuracies: readonly number[]): Html | null {
  if (accuracies.length < 2) return null;
  const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
  const squares = accuracies.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (accuracies.length - 1));
  return html` <span class="soft">± ${(100 * deviation).toFixed(1)}</span>`;
}

function statusChip(status: TableReportRow['status']): Html {
  switch (status) {
    case 'done':
      return html`<span class="chip good">done</span>`;
    case 'failed':
      return html`<span class="chip bad">failed</span>`;
    case 'waiting':
      return html`<span class="chip calm">waiting</span>`;
    case 'quoted':
      return html`<span class="chip calm">quoted</span>`;
  }
}

/** A quoted row says so as its status already. */
function publishedChip(published: TableReportRow['published']): Html | null {
  switch (published) {
    case 'published':
      return html` <span class="chip blue">published</span>`;
    case 'reconstructed':
      return html` <span class="chip warn">reconstructed</span>`;
    case 'quoted':
    case null:
      return null;
  }
}
