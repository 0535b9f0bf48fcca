import type { Kit } from './kit.ts';

export interface LineData {
  readonly id: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly height: number;
  readonly format: 'percent' | 'number';
  /** Marks each point, unless there are many. */
  readonly dots: boolean;
  readonly scale: 'linear' | 'linear from 0' | 'log';
  readonly points: readonly { readonly model: string; readonly x: number; readonly y: number }[];
}

/** One line for each model over whole numbers, such as epochs, with the values under the pointer. */
export function lineChart(
  kit: Kit,
  { id, xLabel, yLabel, height, format, dots, scale, points }: LineData,
): void {
  const { plot } = kit;
  const text = format === 'percent' ? kit.percent : kit.significant;
  const color = ({ model }: { readonly model: string }): string => kit.color(model);
  const pointed = plot.pointerX({ px: 'x', py: 'y', maxRadius: Infinity });
  // The dots of a long line would hide it.
  const sizeOf = (name: string): number => points.filter(({ model }) => model === name).length;
  const last = points.reduce((most, { x }) => Math.max(most, x), 1);
  kit.chart(id, (width) =>
    plot.plot({
      width,
      height,
      marginTop: 12,
      marginLeft: 52,
      marginRight: 14,
      marginBottom: 38,
      x: {
        label: xLabel,
        labelArrow: 'none',
        labelAnchor: 'center',
        domain: last === 1 ? [0, 2] : [1, last],
        ticks: last === 1 ? [1] : Math.min(last, Math.max(2, Math.floor(width / 70))),
        tickFormat: (tick: number) => (Number.isInteger(tick) ? kit.count(tick) : ''),
      },
      y: {
        label: null,
        grid: true,
        nice: true,
        type: scale === 'log' ? 'log' : 'linear',
        zero: scale === 'linear from 0',
        ticks: scale === 'log' ? kit.logTicks(points.map(({ y }) => y)) : 5,
        tickFormat:
          format === 'percent' ? (tick: number) => `${Number((100 * tick).toFixed(1))} %` : kit.significant,
      },
      marks: [
        plot.line(points, {
          x: 'x',
          y: 'y',
          z: 'model',
          stroke: color,
          strokeWidth: 2,
          strokeLinejoin: 'round',
        }),
        dots
          ? plot.dot(
              points.filter(({ model }) => sizeOf(model) <= 40),
              { x: 'x', y: 'y', fill: color, stroke: 'var(--surface)', r: 3 },
            )
          : null,
        plot.ruleX(points, { ...pointed, x: 'x', stroke: 'currentColor', strokeOpacity: 0.35 }),
        plot.dot(points, { ...pointed, x: 'x', y: 'y', fill: color, stroke: 'var(--surface)', r: 5 }),
        plot.tip(points, {
          ...kit.tip,
          ...pointed,
          x: 'x',
          y: 'y',
          stroke: 'var(--line)',
          channels: {
            model: { value: 'model', label: 'model' },
            at: { value: 'x', label: xLabel },
            value: { value: 'y', label: yLabel },
          },
          format: {
            model: true,
            at: (value: number) => kit.count(value),
            value: (value: number) => text(value),
            x: false,
            y: false,
          },
        }),
      ],
    }),
  );
}
