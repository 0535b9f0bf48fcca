import type { CurvePoint } from '../curves.ts';
import type { Kit } from './kit.ts';

interface LossData {
  readonly id: string;
  readonly curves: readonly { readonly stage: string; readonly points: readonly CurvePoint[] }[];
}

/** The loss of each step as points, a smoothed line over them, and a crosshair with the values under the pointer. */
export function lossChart(kit: Kit, { id, curves }: LossData): void {
  const { plot } = kit;
  const draw = kit.chart(id, (width) => {
    const shown = new Set(kit.checked(`${id}-stage`));
    const logarithmic = kit.checked(`${id}-log`).length > 0;
    const points = curves
      .filter(({ stage }) => shown.has(stage))
      .flatMap(({ stage, points }) => points.map((point) => ({ stage, ...point })))
      .filter(({ loss, smooth }) => !logarithmic || (loss > 0 && smooth > 0));
    const color = ({ stage }: { readonly stage: string }): string => kit.color(stage);
    const pointed = plot.pointerX({ px: 'at', py: 'smooth', maxRadius: Infinity });
    return plot.plot({
      width,
      height: 380,
      marginTop: 30,
      marginLeft: 44,
      marginRight: 12,
      marginBottom: 40,
      x: {
        label: 'step of the stage',
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
        ticks: logarithmic ? 6 : 7,
        tickFormat: logarithmic ? '~g' : null,
      },
      marks: [
        plot.dot(points, {
          x: 'at',
          y: 'loss',
          fill: color,
          fillOpacity: 0.38,
          r: points.length > 800 ? 1.3 : 1.8,
        }),
        plot.line(points, {
          x: 'at',
          y: 'smooth',
          z: 'stage',
          stroke: color,
          strokeWidth: 2.2,
          strokeLinejoin: 'round',
        }),
        plot.ruleX(points, { ...pointed, x: 'at', stroke: 'currentColor', strokeOpacity: 0.35 }),
        plot.ruleY(points, {
          ...pointed,
          y: 'smooth',
          stroke: 'currentColor',
          strokeOpacity: 0.35,
          strokeDasharray: '3 3',
        }),
        plot.dot(points, { ...pointed, x: 'at', y: 'loss', stroke: color, fill: 'var(--surface)', r: 3 }),
        plot.dot(points, { ...pointed, x: 'at', y: 'smooth', fill: color, stroke: 'var(--surface)', r: 5 }),
        plot.tip(points, {
          ...kit.tip,
          ...pointed,
          x: 'at',
          y: 'smooth',
          stroke: 'var(--line)',
          channels: {
            model: { value: 'stage', label: 'model' },
            step: { value: 'at', label: 'step' },
            epoch: { value: 'epoch', label: 'epoch' },
            raw: { value: 'loss', label: 'loss' },
            mean: { value: 'smooth', label: 'smoothed' },
            rate: { value: 'lr', label: 'learning rate' },
          },
          format: {
            model: true,
            step: (value: number) => kit.count(value),
            epoch: (value: number) => kit.count(value),
            raw: (value: number) => value.toFixed(4),
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
