// The report of `bench kernels`: each kernel of the nets' training steps beside what the device can do at most.

import { chart, chartHost, facts, renderDocument, type Section } from './document.ts';
import { count, dateText, percent } from './format.ts';
import { html, type Html } from './html.ts';
import { rooflineChart, type MatrixRoof, type RooflineMark } from './page/roofline-chart.ts';

/** Plain JSON. */
export interface KernelReport {
  readonly device: string;
  /** ISO date. */
  readonly finished: string;
  readonly batch: number;
  /** How many problems have a measured choice of geometry. */
  readonly tuned: number;
  readonly precision: 'f32' | 'f16';
  readonly ceilings: {
    readonly fmaGflops: number;
    readonly copyGBps: number;
    readonly matrixF16Gflops: number | null;
    readonly matrixF32Gflops: number | null;
  };
  readonly nets: readonly NetKernels[];
}

interface NetKernels {
  readonly net: string;
  readonly stepMilliseconds: number;
  readonly kernels: readonly Kernel[];
}

/** Dispatches that do the same work by the same kernel. */
interface Kernel {
  readonly kernel: string;
  readonly shape: string;
  readonly reasons: readonly string[];
  readonly count: number;
  /** Subgroup matrices that compute most of it; null: multiply-adds in f32. */
  readonly units: 'matrixF16' | 'matrixF32' | null;
  /** Of one of them. */
  readonly milliseconds: number;
  /** Operations for each byte moved. */
  readonly intensity: number;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** The least time that the ceilings allow by the time that it took. */
  readonly share: number;
  readonly bound: 'compute' | 'memory';
}

/** Kinds of kernels by what their names begin with, in the order of the legend; 'other' for what has no kind. */
const KINDS: readonly (readonly [kind: string, match: RegExp])[] = [
  ['convolution', /^conv2d forward/],
  ['gradient of an input', /^conv2d backward data/],
  ['gradient of a weight', /^conv2d backward weight|sum of splits$/],
  ['matrix product', /^matmul/],
  ['norm', /norm|moments|statistics/],
];
const OTHER = 'other';

const kindOf = ({ kernel }: Kernel): string => KINDS.find(([, match]) => match.test(kernel))?.[0] ?? OTHER;

/** Rows of a table that are shown at once. */
const DEAREST = 25;

/** The page: one HTML document that loads nothing. Throws an Error of one sentence if the chart library is not installed. */
export async function renderKernelReport(report: KernelReport): Promise<string> {
  const kinds = [...KINDS.map(([kind]) => kind), OTHER];
  const colors = new Map(kinds.map((kind, i) => [kind, i]));
  return renderDocument({
    title: `Kernels on ${report.device}`,
    header: header(report),
    sections: report.nets.map((net) => netSection(net, report.ceilings, colors)),
    colors,
  });
}

function header({ device, finished, batch, precision, tuned, ceilings }: KernelReport): Html {
  const { fmaGflops, copyGBps } = ceilings;
  return html`<header>
    <div class="eyebrow">Roofline</div>
    <h1>Kernels on ${device}</h1>
    <p>
      Each kernel of a training step, forward and backward, beside what this device can do at most: the
      measured rate of multiply-adds in f32 and of copies; products on subgroup matrices beside the rate of
      those.
    </p>
    ${facts([
      ['Multiply-adds', `${rate(fmaGflops * 1e9)}FLOP/s`],
      ...matrixRoofs(ceilings).map(({ label, gflops }) => [label, `${rate(gflops * 1e9)}FLOP/s`] as const),
      ['Copies, both ways', `${rate(copyGBps * 1e9)}B/s`],
      ['Ridge', `${(fmaGflops / copyGBps).toFixed(1)} FLOP/byte`],
      ['Batch', String(batch)],
      ['Stored as', precision],
      ['Tuned problems', count(tuned)],
      ['Finished', html`<time datetime="${finished}">${dateText(finished)}</time>`],
    ])}
  </header>`;
}

/** Ceilings of subgroup matrices that the device has. */
function matrixRoofs({ matrixF16Gflops, matrixF32Gflops }: KernelReport['ceilings']): (MatrixRoof & {
  readonly units: Kernel['units'];
})[] {
  const roof = (label: string, units: Kernel['units'], gflops: number | null) =>
    gflops === null ? [] : [{ label, units, gflops }];
  return [
    ...roof('Matrices of f16', 'matrixF16', matrixF16Gflops),
    ...roof('Matrices of f32', 'matrixF32', matrixF32Gflops),
  ];
}

function netSection(
  { net, stepMilliseconds, kernels }: NetKernels,
  ceilings: KernelReport['ceilings'],
  colors: ReadonlyMap<string, number>,
): Section {
  const { fmaGflops, copyGBps } = ceilings;
  const matrices = matrixRoofs(ceilings).filter(({ units }) =>
    kernels.some((kernel) => kernel.units === units),
  );
  const id = `roofline-${net}`;
  const height = 460;
  const total = kernels.reduce((sum, kernel) => sum + cost(kernel), 0);
  const marks = kernels
    .filter(({ intensity }) => intensity > 0 && Number.isFinite(intensity))
    .map((kernel): RooflineMark => {
      const { kernel: name, shape, intensity, flopsPerSecond, share, bound, milliseconds } = kernel;
      const part = cost(kernel) / total;
      return {
        ...{ name, shape, kind: kindOf(kernel), count: kernel.count, milliseconds, part },
        ...{ intensity, gflops: flopsPerSecond / 1e9, share, bound },
      };
    });
  const moving = kernels.length - marks.length;
  const present = [...colors].filter(([kind]) => marks.some((mark) => mark.kind === kind));
  return {
    id: net,
    title: net,
    charts: [chart(rooflineChart, { id, height, fmaGflops, copyGBps, matrices, marks })],
    body: html`<h2>${net}</h2>
      <p>
        A point is a kernel at one shape; its area is its share of the kernels' time. On the line a kernel is
        as fast as the device allows; above it, it finds some of its data in a
        cache.${moving > 0 ? ` Kernels that only move, ${moving} of them, are in the table alone.` : ''}
      </p>
      ${figures(kernels, total, stepMilliseconds)}
      <div class="legend">
        ${present.map(
          ([kind, color]) =>
            html`<span
              ><i class="dot" style="--color: var(--c${color}); border-radius: 50%"></i>${kind}</span
            >`,
        )}
      </div>
      ${chartHost(id, height, `Roofline of ${net}: operations a second over operations for each byte moved`)}
      <h3>The dearest kernels</h3>
      ${table(kernels.slice(0, DEAREST), total)}
      ${
        kernels.length > DEAREST
          ? html`<details>
              <summary>${kernels.length - DEAREST} more</summary>
              ${table(kernels.slice(DEAREST), total)}
            </details>`
          : null
      }`,
  };
}

const cost = ({ count, milliseconds }: Kernel): number => count * milliseconds;

function figures(kernels: readonly Kernel[], total: number, stepMilliseconds: number): Html {
  const floor = kernels.reduce((sum, kernel) => sum + cost(kernel) * kernel.share, 0);
  const bySum = (bound: Kernel['bound']): number =>
    kernels.filter((kernel) => kernel.bound === bound).reduce((sum, kernel) => sum + cost(kernel), 0) / total;
  return html`<div class="figures">
    <div class="figure">
      <b>${percent(floor / total, 0)}</b><span>Of the ceiling</span><em>over all kernels, by time</em>
    </div>
    <div class="figure">
      <b>${time(total)} <small>${unit(total)}</small></b
      ><span>In kernels</span><em>a step takes ${time(stepMilliseconds)} ${unit(stepMilliseconds)}</em>
    </div>
    <div class="figure">
      <b>${percent(bySum('compute'), 0)}</b><span>Bound by arithmetic</span
      ><em>${percent(bySum('memory'), 0)} by memory</em>
    </div>
  </div>`;
}

const time = (milliseconds: number): string =>
  milliseconds >= 1000 ? (milliseconds / 1000).toPrecision(3) : milliseconds.toPrecision(3);
const unit = (milliseconds: number): string => (milliseconds >= 1000 ? 's' : 'ms');

/** 1.2 T, 45.1 G: before a unit. */
const rate = (perSecond: number): string =>
  perSecond >= 1e12 ? `${(perSecond / 1e12).toPrecision(3)} T` : `${(perSecond / 1e9).toPrecision(3)} G`;

function table(kernels: readonly Kernel[], total: number): Html {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col" class="text">Kernel</th>
          <th scope="col">Of all</th>
          <th scope="col">Count</th>
          <th scope="col">ms each</th>
          <th scope="col">FLOP/byte</th>
          <th scope="col">FLOP/s</th>
          <th scope="col">B/s</th>
          <th scope="col">Of ceiling</th>
          <th scope="col" class="text">Bound by</th>
        </tr>
      </thead>
      <tbody>
        ${kernels.map((kernel) => row(kernel, total))}
      </tbody>
    </table>
  </div>`;
}

function row(kernel: Kernel, total: number): Html {
  const { kernel: name, shape, reasons, milliseconds, intensity, flopsPerSecond, bytesPerSecond } = kernel;
  const { share, bound } = kernel;
  const fused = reasons.length > 0 ? ` ${reasons.map(spaced).join(', ')}` : '';
  return html`<tr>
    <th scope="row" class="text">
      ${name}<small>${shape}${shape !== '' && fused !== '' ? ';' : ''}${fused}</small>
    </th>
    <td>${percent(cost(kernel) / total)}</td>
    <td>${count(kernel.count)}</td>
    <td>${milliseconds.toPrecision(3)}</td>
    <td>${Number.isFinite(intensity) ? intensity.toPrecision(3) : '–'}</td>
    <td>${rate(flopsPerSecond)}</td>
    <td>${rate(bytesPerSecond)}</td>
    <td><b>${percent(share, 0)}</b></td>
    <td class="text">
      ${bound === 'compute' ? html`<span class="chip blue">arithmetic</span>` : html`<span class="chip calm">memory</span>`}
    </td>
  </tr>`;
}

/** The name of a reason to read: normReluInLoad is norm relu in load. */
const spaced = (reason: string): string => reason.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
