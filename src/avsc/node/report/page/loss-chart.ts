import type { CurvePoint } from '../curves.ts';
import type { Kit } from './kit.ts';

interface LossData {
  readonly id: string;
  readonly curves: readonly { readonly stage: string; readonly points: readonly CurvePoint[] }[];
}

/**
 * The loss of each step as points, or the range of losses where a point stands for many steps; a smoothed line over them; a
 * crosshair with the values under the pointer.
 */
export function lossChart(kit: Kit, { id, curves }: LossData): void {
  const { plot } = kit;
  const draw = kit.chart(id, (width) => {
    const shown = new Set(kit.checked(`${id}-stage`));
    const logarithmic = kit.checked(`${id}-log`).length > 0;
    const aligned = kit.checked(`${id}-align`).length > 0;
    const points = curves
      .filter(({ stage }) => shown.has(stage))
      .flatMap(({ stage, points }) => {
        const last = points.at(-1)?.at ?? 1;
        return points.map((point) => ({ stage, ...point, x: aligned ? point.at / last : point.at }));
      })
      .filter(({ low, smooth }) => !logarithmic || (low > 0 && smooth > 0));
    type Point = (typeof points)[number];
    const color = ({ stage }: Point): string => kit.color(stage);
    const isRange = ({ low, high }: Point): boolean => low < high;
    const ranges = new Set(points.filter(isRange).map(({ stage }) => stage));
    const pointed = plot.pointerX({ px: 'x', py: 'smooth', maxRadius: Infinity });
    return plot.plot({
      width,
      height: 380,
      marginTop: 30,
      marginLeft: 44,
      marginRight: 12,
      marginBottom: 40,
      x: {
        label: aligned ? 'part of the stage' : 'step of the stage',
        tickFormat: aligned ? (part: number) => `${Math.round(100 * part)} %` : null,
        labelArrow: 'none',
        labelAnchor: 'center',
        ticks: Math.max(3, width / 110),
        nice: true,
      },
      y: {
        type: logarithmic ? 'log' : 'linear',
        label: 'cross-entropy',
        labelArrow: 'none',
        grid: true,
        nice: true,
        zero: !logarithmic,
        ticks: logarithmic
          ? kit.logTicks(points.map(({ low }) => low).concat(points.map(({ high }) => high)))
          : 7,
        tickFormat: logarithmic ? kit.significant : null,
      },
      marks: [
        plot.areaY(
          points.filter(({ stage }) => ranges.has(stage)),
          { x: 'x', y1: 'low', y2: 'high', z: 'stage', fill: color, fillOpacity: 0.16 },
        ),
        plot.dot(
          points.filter(({ stage }) => !ranges.has(stage)),
          { x: 'x', y: 'loss', fill: color, fillOpacity: 0.38, r: 1.8 },
        ),
        plot.line(points, {
          x: 'x',
          y: 'smooth',
          z: 'stage',
          stroke: color,
          strokeWidth: 2.2,
          strokeLinejoin: 'round',
        }),
        plot.ruleX(points, { ...pointed, x: 'x', stroke: 'currentColor', strokeOpacity: 0.35 }),
        plot.ruleY(points, {
          ...pointed,
          y: 'smooth',
          stroke: 'currentColor',
          strokeOpacity: 0.35,
          strokeDasharray: '3 3',
        }),
        plot.dot(points, { ...pointed, x: 'x', y: 'loss', stroke: color, fill: 'var(--surface)', r: 3 }),
        plot.dot(points, { ...pointed, x: 'x', y: 'smooth', fill: color, stroke: 'var(--surface)', r: 5 }),
        plot.tip(points, {
          ...kit.tip,
          ...pointed,
          x: 'x',
          y: 'smooth',
          stroke: 'var(--line)',
          channels: {
            model: { value: 'stage', label: 'model' },
            step: { value: 'at', label: 'step' },
            epoch: { value: 'epoch', label: 'epoch' },
            raw: { value: 'loss', label: 'loss' },
            range: {
              value: (point: Point) =>
                isRange(point) ? `${point.low.toFixed(4)} to ${point.high.toFixed(4)}` : null,
              label: 'range around it',
            },
            mean: { value: 'smooth', label: 'smoothed' },
            rate: { value: 'lr', label: 'learning rate' },
          },
          format: {
            model: true,
            step: (value: number) => kit.count(value),
            epoch: (value: number) => kit.count(value),
            raw: (value: number) => value.toFixed(4),
            range: true,
            mean: (value: number) => value.toFixed(4),
            rate: (value: number) => kit.significant(value),
            x: false,
            y: false,
          },
        }),
      ],
    });
  });
  kit.onChange(`${id}-controls`, draw);
}
