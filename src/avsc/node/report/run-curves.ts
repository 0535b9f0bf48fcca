// Sections of a run's report over time: losses, epochs, seconds.

import { lossCurve, type CurvePoint } from './curves.ts';
import { colorVariable } from './colors.ts';
import type { EpochTiming, RunReport } from './data.ts';
import { chart, chartHost, type Section } from './document.ts';
import { count, duration, percent } from './format.ts';
import { html, type Html } from './html.ts';
import { lineChart, type LineData } from './page/line-chart.ts';
import { lossChart } from './page/loss-chart.ts';

type Colors = ReadonlyMap<string, number>;

export function lossSection({ stages, steps }: RunReport, colors: Colors): Section | null {
  if (steps.length === 0) return null;
  const ids = stages.map(({ id }) => id).filter((id) => steps.some(({ stage }) => stage === id));
  const curves = ids.map((stage) => ({
    stage,
    points: lossCurve(steps.filter((step) => step.stage === stage)),
  }));
  const broken = steps.filter(({ loss }) => !Number.isFinite(loss)).length;
  return {
    id: 'loss',
    title: 'Loss',
    charts: [chart(lossChart, { id: 'loss-chart', curves })],
    body: html`<h2>Training loss, step by step</h2>
      <p>Lines are means over a fortieth of the stage. ${drawn(curves)}</p>
      ${broken === 0 ? null : html`<p class="notice">${broken === 1 ? '1 step has' : `${count(broken)} steps have`} a loss that is not a finite number, left out of the chart.</p>`}
      <div class="controls" id="loss-chart-controls">
        ${ids.map(
          (id) =>
            html`<label style="--color: ${colorVariable(colors.get(id) ?? 0)}"
              ><input type="checkbox" name="loss-chart-stage" value="${id}" checked autocomplete="off" /><i
                class="dot"
              ></i
              >${id}</label
            >`,
        )}
        <span class="apart">
          <label
            ><input
              type="checkbox"
              name="loss-chart-align"
              value="align"
              autocomplete="off"
              ${differMuch(curves) ? html` checked` : null}
            />Stages to the same width</label
          >
          <label
            ><input type="checkbox" name="loss-chart-log" value="log" autocomplete="off" />Logarithmic
            scale</label
          >
        </span>
      </div>
      ${chartHost('loss-chart', 380, 'Cross-entropy over the steps of each stage')}`,
  };
}

/** What stands behind the lines. */
function drawn(curves: readonly { readonly points: readonly CurvePoint[] }[]): string {
  const isRange = curves.map(({ points }) => points.some(({ low, high }) => low < high));
  if (!isRange.includes(true)) return 'Points are single steps.';
  const ranges = 'the band reaches from the lowest to the highest loss of the steps around';
  return isRange.includes(false)
    ? `Points are single steps; in long stages ${ranges}.`
    : `T${ranges.slice(1)}.`;
}

/** Stages of very different lengths are drawn to the same width at first. */
function differMuch(curves: readonly { readonly points: readonly CurvePoint[] }[]): boolean {
  const lengths = curves.map(({ points }) => points.at(-1)?.at ?? 1);
  return Math.max(...lengths) > 4 * Math.min(...lengths);
}

interface Panel {
  readonly title: string;
  readonly line: LineData;
}

function panels(all: readonly Panel[], columns: string): Html {
  const drawn = all.filter(({ line }) => line.points.length > 0);
  return html`<div class="grid ${columns}">
    ${drawn.map(
      ({ title, line }) =>
        html`<div>
          <h3>${title}</h3>
          ${chartHost(line.id, line.height, title)}
        </div>`,
    )}
  </div>`;
}

function chartsOf(all: readonly Panel[]): Section['charts'] {
  return all.filter(({ line }) => line.points.length > 0).map(({ line }) => chart(lineChart, line));
}

function legend(ids: readonly string[], colors: Colors): Html {
  return html`<div class="legend">
    ${ids.map(
      (id) =>
        html`<span><i class="dot" style="--color: ${colorVariable(colors.get(id) ?? 0)}"></i>${id}</span>`,
    )}
  </div>`;
}

export function epochSection({ stages, steps, epochs }: RunReport, colors: Colors): Section | null {
  if (epochs.length === 0) return null;
  const ids = stages.map(({ id }) => id).filter((id) => epochs.some(({ stage }) => stage === id));
  const byEpoch = { xLabel: 'epoch', height: 250, dots: true, scale: 'linear' } as const;
  const validated = epochs.flatMap(({ stage, epoch, validation }) =>
    validation === undefined ? [] : [{ model: stage, x: epoch, ...validation }],
  );
  const all: Panel[] = [
    {
      title: 'Training loss of the epoch',
      line: {
        ...byEpoch,
        id: 'epoch-loss',
        yLabel: 'cross-entropy',
        format: 'number',
        scale: 'linear from 0',
        points: epochs.map(({ stage, epoch, loss }) => ({ model: stage, x: epoch, y: loss })),
      },
    },
    {
      title: 'Validation accuracy',
      line: {
        ...byEpoch,
        id: 'validation-accuracy',
        yLabel: 'accuracy',
        format: 'percent',
        points: validated.map(({ model, x, accuracy }) => ({ model, x, y: accuracy })),
      },
    },
    {
      title: 'Validation log loss',
      line: {
        ...byEpoch,
        id: 'validation-log-loss',
        yLabel: 'log loss',
        format: 'number',
        points: validated.map(({ model, x, logLoss }) => ({ model, x, y: logLoss })),
      },
    },
    {
      title: 'Learning rate',
      line: {
        id: 'learning-rate',
        xLabel: 'step of the stage',
        yLabel: 'learning rate',
        height: 250,
        format: 'number',
        dots: false,
        scale: steps.every(({ lr }) => lr > 0) ? 'log' : 'linear from 0',
        points: ids.flatMap((id) =>
          learningRates(steps.filter(({ stage }) => stage === id)).map((point) => ({ model: id, ...point })),
        ),
      },
    },
  ];
  const finite = all.map(({ title, line }) => ({
    title,
    line: { ...line, points: line.points.filter(({ y }) => Number.isFinite(y)) },
  }));
  return {
    id: 'epochs',
    title: 'Epochs',
    charts: chartsOf(finite),
    body: html`<h2>Epoch by epoch</h2>
      <p>
        ${validated.length === 0 ? 'No part of the data was held out for validation.' : 'Validation uses locations that are held out of training.'}
      </p>
      ${legend(ids, colors)}${panels(finite, '')}`,
  };
}

/** Learning rates where they change, with the steps before and after, so that straight parts need two points. */
function learningRates(steps: readonly { readonly lr: number }[]): { x: number; y: number }[] {
  const points = steps.map(({ lr }, i) => ({ x: i + 1, y: lr }));
  const bends = points.filter((point, i) => point.y !== points[i - 1]?.y || point.y !== points[i + 1]?.y);
  const stride = Math.ceil(bends.length / 600);
  return bends.filter((_, i) => i % stride === 0 || i === bends.length - 1);
}

export function timeSection({ stages, timings }: RunReport, colors: Colors): Section | null {
  if (timings.length === 0) return null;
  const ids = stages.map(({ id }) => id).filter((id) => timings.some(({ stage }) => stage === id));
  const panel = (
    id: string,
    title: string,
    yLabel: string,
    format: LineData['format'],
    value: (timing: EpochTiming) => number,
  ): Panel => ({
    title,
    line: {
      id,
      xLabel: 'epoch',
      yLabel,
      height: 210,
      format,
      dots: true,
      scale: 'linear from 0',
      points: timings
        .map((timing) => ({ model: timing.stage, x: timing.epoch, y: value(timing) }))
        .filter(({ y }) => Number.isFinite(y)),
    },
  });
  const all = [
    panel('time-epoch', 'Seconds per epoch', 'seconds', 'number', ({ seconds }) => seconds),
    panel(
      'time-steps',
      'Steps per second',
      'steps per second',
      'number',
      ({ steps, seconds }) => steps / seconds,
    ),
    panel(
      'time-waiting',
      'Time waiting for data',
      'share',
      'percent',
      ({ waiting, seconds }) => waiting / seconds,
    ),
  ];
  return {
    id: 'time',
    title: 'Time',
    charts: chartsOf(all),
    body: html`<h2>Time</h2>
      <p>Waiting is the time in which a step had to wait for its data.</p>
      ${legend(ids, colors)}${panels(all, 'three')}
      <div class="scroll" style="margin-top: 22px">
        <table>
          <thead>
            <tr>
              <th scope="col" class="text">Stage</th>
              <th scope="col">Epochs</th>
              <th scope="col">Time</th>
              <th scope="col">Steps per second</th>
              <th scope="col">Waiting for data</th>
            </tr>
          </thead>
          <tbody>
            ${ids.map((id) =>
              timeRow(
                id,
                timings.filter(({ stage }) => stage === id),
                colors,
              ),
            )}
          </tbody>
        </table>
      </div>`,
  };
}

function timeRow(id: string, timings: readonly EpochTiming[], colors: Colors): Html {
  const total = (value: (timing: EpochTiming) => number): number =>
    timings.reduce((sum, timing) => sum + value(timing), 0);
  const seconds = total((timing) => timing.seconds);
  const share = (value: number, text: (ratio: number) => string): string =>
    seconds > 0 ? text(value / seconds) : '–';
  return html`<tr>
    <th scope="row" class="text">
      <i class="dot" style="--color: ${colorVariable(colors.get(id) ?? 0)}"></i>${id}
    </th>
    <td>${count(timings.length)}</td>
    <td>${duration(seconds)}</td>
    <td>
      ${share(
        total(({ steps }) => steps),
        (rate) => rate.toFixed(2),
      )}
    </td>
    <td>
      ${share(
        total(({ waiting }) => waiting),
        percent,
      )}
    </td>
  </tr>`;
}
