import type { Kit } from './kit.ts';

export interface RooflineMark {
  readonly name: string;
  readonly shape: string;
  readonly kind: string;
  readonly count: number;
  /** Of one of them. */
  readonly milliseconds: number;
  /** Share of the time of all kernels. */
  readonly part: number;
  /** Operations for each byte moved. */
  readonly intensity: number;
  readonly gflops: number;
  /** Share of what the ceilings allow. */
  readonly share: number;
  readonly bound: 'compute' | 'memory';
}

/** Ceiling of products on subgroup matrices. */
export interface MatrixRoof {
  readonly label: string;
  readonly gflops: number;
}

interface RooflineData {
  readonly id: string;
  readonly height: number;
  readonly fmaGflops: number;
  readonly copyGBps: number;
  /** Those that a kernel uses. */
  readonly matrices: readonly MatrixRoof[];
  readonly marks: readonly RooflineMark[];
}

/** Rates over intensities, both logarithmic, under the ceilings of memory and arithmetic. */
export function rooflineChart(
  kit: Kit,
  { id, height, fmaGflops, copyGBps, matrices, marks }: RooflineData,
): void {
  const { plot } = kit;
  const ridge = fmaGflops / copyGBps;
  const intensities = marks.map(({ intensity }) => intensity).concat(ridge);
  const low = 0.6 * Math.min(...intensities);
  const ridges = matrices.map(({ gflops }) => gflops / copyGBps);
  const high = 1.8 * Math.max(...intensities, 4 * ridge, ...ridges);
  const highest = Math.max(fmaGflops, ...matrices.map(({ gflops }) => gflops));
  const roofOf = (gflops: number): { readonly intensity: number; readonly gflops: number }[] =>
    [low, gflops / copyGBps, high].map((intensity) => ({
      intensity,
      gflops: Math.min(gflops, intensity * copyGBps),
    }));
  const middle = Math.sqrt(low * ridge);
  const least = 0.6 * Math.min(...marks.map(({ gflops }) => gflops), low * copyGBps);
  // Small points last, so that large ones do not cover them.
  const drawn = [...marks].sort((a, b) => b.part - a.part);
  const color = ({ kind }: RooflineMark): string => kit.color(kind);
  const at = { x: 'intensity', y: 'gflops' };
  const rate = (gflops: number): string =>
    gflops >= 1000 ? `${kit.significant(gflops / 1000)} TFLOP/s` : `${kit.significant(gflops)} GFLOP/s`;
  kit.chart(id, (width) => {
    const largest = width < 500 ? 13 : 18;
    const most = Math.max(...marks.map(({ part }) => part), 1e-9);
    return plot.plot({
      width,
      height,
      marginTop: 30,
      marginLeft: 54,
      marginRight: 16,
      marginBottom: 42,
      x: {
        type: 'log',
        domain: [low, high],
        label: 'operations for each byte moved',
        labelArrow: 'none',
        labelAnchor: 'center',
        ticks: kit.logTicks([low, high]).filter((tick) => tick >= low && tick <= high),
        tickFormat: kit.significant,
        grid: true,
      },
      y: {
        type: 'log',
        domain: [least, 1.5 * highest],
        label: 'GFLOP/s',
        labelArrow: 'none',
        ticks: kit.logTicks([least, highest]).filter((tick) => tick >= least && tick <= 1.5 * highest),
        tickFormat: kit.significant,
        grid: true,
      },
      r: { type: 'sqrt', domain: [0, most], range: [2.5, largest] },
      marks: [
        plot.line(roofOf(fmaGflops), {
          ...at,
          stroke: 'var(--ink)',
          strokeWidth: 1.8,
          strokeLinejoin: 'round',
        }),
        ...matrices.map(({ gflops }) =>
          plot.line(roofOf(gflops), {
            ...at,
            stroke: 'var(--soft)',
            strokeDasharray: '5 4',
            strokeLinejoin: 'round',
          }),
        ),
        plot.text(
          matrices.map(({ label, gflops }) => ({ intensity: high, gflops, label })),
          {
            ...at,
            text: ({ label, gflops }: MatrixRoof) =>
              width < 500 ? rate(gflops) : `${label.toLowerCase()}, ${rate(gflops)}`,
            textAnchor: 'end',
            dy: -9,
            fill: 'var(--soft)',
          },
        ),
        plot.text([{ intensity: high, gflops: fmaGflops }], {
          ...at,
          text: () => (width < 500 ? rate(fmaGflops) : `multiply-adds, ${rate(fmaGflops)}`),
          textAnchor: 'end',
          dy: -9,
          fill: 'var(--soft)',
        }),
        plot.text([{ intensity: middle, gflops: middle * copyGBps }], {
          ...at,
          text: () => (width < 500 ? '' : 'copies, ') + `${kit.significant(copyGBps)} GB/s`,
          textAnchor: 'end',
          dx: -10,
          dy: -8,
          fill: 'var(--soft)',
        }),
        plot.dot(drawn, {
          ...at,
          r: 'part',
          fill: color,
          fillOpacity: 0.55,
          stroke: color,
          strokeWidth: 1,
        }),
        plot.dot(drawn, {
          ...plot.pointer({ ...at, maxRadius: 60 }),
          r: 'part',
          stroke: 'var(--ink)',
          strokeWidth: 2,
        }),
        plot.tip(drawn, {
          ...kit.tip,
          ...plot.pointer({ ...at, maxRadius: 60 }),
          stroke: 'var(--line)',
          lineWidth: width < 500 ? 18 : 26,
          channels: {
            kernel: { value: 'name', label: 'kernel' },
            size: { value: 'shape', label: 'shape' },
            of: { value: 'part', label: 'of all kernels' },
            each: { value: 'milliseconds', label: 'one takes' },
            number: { value: 'count', label: 'count' },
            speed: { value: 'gflops', label: 'rate' },
            reached: { value: 'share', label: 'of the ceiling' },
          },
          format: {
            kernel: true,
            size: true,
            of: (value: number) => kit.percent(value),
            each: (value: number) => `${kit.significant(value)} ms`,
            number: (value: number) => kit.count(value),
            speed: (value: number) => rate(value),
            reached: (value: number) => kit.percent(value),
            x: false,
            y: false,
            r: false,
          },
        }),
      ],
    });
  });
}
