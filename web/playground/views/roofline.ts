// The device's ceilings, and how near each kernel comes to them.

import { roofline, type Ceilings, type Inspection, type Roofline, type StepTimes } from 'wavelight/inspect';
import { amount, element, percent, svg, table } from '../html.ts';

const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM] = [640, 360, 70, 20, 40];
/** Decades of arithmetic below the ceiling that the chart shows. */
const DECADES = 5;

/** `times` may lack: then the chart shows the ceilings alone. */
export function showRoofline(
  panel: HTMLElement,
  adapter: string,
  ceilings: Ceilings,
  plan: Inspection | null,
  times: StepTimes | null,
): void {
  const works = (plan?.dispatches ?? []).map((dispatch, i) => ({
    ...dispatch,
    milliseconds: times?.dispatches?.[i] ?? 0,
  }));
  const model = roofline(works, ceilings);
  const f16 = ceilings.fmaF16Gflops;
  panel.replaceChildren(
    table(
      `Ceilings of ${adapter}, measured here`,
      ['What', 'At most'],
      [
        ['f32 multiply-add', amount(model.flopsPerSecond, 'FLOP/s')],
        ['f16 multiply-add', f16 === null ? 'needs shader-f16' : amount(1e9 * f16, 'FLOP/s')],
        ['Copy, read and written', amount(model.bytesPerSecond, 'B/s')],
        ['Ridge, where the two meet', `${model.ridge.toFixed(1)} FLOP/B`],
        ['One more dispatch', `${ceilings.dispatchMicroseconds.toFixed(1)} µs`],
        ['Submit, until it is done', `${ceilings.submitMilliseconds.toFixed(2)} ms`],
        ['Readback of 4 bytes', `${ceilings.readbackMilliseconds.toFixed(2)} ms`],
      ],
    ),
    element('figure', [
      chart(model),
      element(
        'figcaption',
        'Operations a second by operations for each byte moved, both logarithmic. A kernel on the line does all that the device can; ' +
          'one above the slope has its data in a cache, which the copy that measures the slope is too large for.',
      ),
    ]),
    points(model, times),
  );
}

function points(model: Roofline, times: StepTimes | null): HTMLElement {
  if (model.points.length === 0)
    return element(
      'p',
      times?.note ?? 'Run an example, and its kernels are points here, where this device can time them.',
    );
  return table(
    'Kernels under the roofline',
    ['Kernel', 'FLOP/B', 'Reached', 'Attainable', 'Share', 'Bound by'],
    model.points.map(({ kernel, intensity, flopsPerSecond, bytesPerSecond, attainable, share, bound }) => [
      kernel,
      intensity.toFixed(2),
      intensity > 0 ? amount(flopsPerSecond, 'FLOP/s') : amount(bytesPerSecond, 'B/s'),
      intensity > 0 ? amount(attainable, 'FLOP/s') : amount(model.bytesPerSecond, 'B/s'),
      percent(share),
      bound,
    ]),
  );
}

function chart({ flopsPerSecond, bytesPerSecond, ridge, points: all }: Roofline): SVGElement {
  const shown = all.filter(({ intensity }) => intensity > 0 && Number.isFinite(intensity));
  const top = Math.ceil(Math.log10(flopsPerSecond) + 0.2);
  const lowest = Math.min(...shown.map((point) => Math.log10(point.flopsPerSecond)), top - DECADES);
  const bottom = Math.max(Math.floor(lowest), top - 9);
  const intensities = [ridge, ...shown.map(({ intensity }) => intensity)].map(Math.log10);
  const first = Math.min(-2, Math.floor(Math.min(...intensities)));
  const last = Math.max(2, Math.ceil(Math.max(...intensities) + 0.5));
  const x = (value: number): number =>
    LEFT + ((Math.log10(value) - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number =>
    10 + ((top - Math.log10(value)) / (top - bottom)) * (HEIGHT - BOTTOM - 10);
  const exponents = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const grid = [
    ...exponents(first, last).flatMap((power) => [
      svg('line', { class: 'grid', x1: x(10 ** power), x2: x(10 ** power), y1: 10, y2: HEIGHT - BOTTOM }),
      svg('text', { x: x(10 ** power), y: HEIGHT - BOTTOM + 18, 'text-anchor': 'middle' }, tick(power)),
    ]),
    ...exponents(bottom, top).flatMap((power) => [
      svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: y(10 ** power), y2: y(10 ** power) }),
      svg('text', { x: LEFT - 6, y: y(10 ** power) + 4, 'text-anchor': 'end' }, amount(10 ** power, '')),
    ]),
  ];
  // Where the slope leaves the chart below.
  const start = Math.max(10 ** first, 10 ** bottom / bytesPerSecond);
  const roof = [
    [start, start * bytesPerSecond],
    [ridge, flopsPerSecond],
    [10 ** last, flopsPerSecond],
  ] as const;
  const line = roof.map(([at, rate]) => `${x(at).toFixed(1)},${y(rate).toFixed(1)}`).join(' ');
  const dots = shown.map(({ kernel, intensity, flopsPerSecond: rate, bound, share }) =>
    svg('circle', { class: bound, cx: x(intensity), cy: y(Math.max(rate, 10 ** bottom)), r: 5 }, [
      svg('title', {}, `${kernel}: ${amount(rate, 'FLOP/s')}, ${percent(share)} of the ceiling`),
    ]),
  );
  const label = `Roofline: ${amount(flopsPerSecond, 'FLOP/s')}, ${amount(bytesPerSecond, 'B/s')}, ridge at ${ridge.toFixed(1)} FLOP/B, ${shown.length} kernels. The table has the numbers.`;
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, class: 'roofline' },
    [
      ...grid,
      svg('text', { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, 'text-anchor': 'middle' }, 'FLOP for each byte'),
      svg('polyline', { class: 'roof', points: line }),
      ...dots,
    ],
  );
}

const tick = (power: number): string => (power < 0 ? (10 ** power).toFixed(-power) : String(10 ** power));
