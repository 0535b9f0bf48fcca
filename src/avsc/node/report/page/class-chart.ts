import type { Kit } from './kit.ts';

interface ClassData {
  readonly id: string;
  readonly height: number;
  /** In the order of the bars. */
  readonly models: readonly string[];
  /** In the order from top to bottom. */
  readonly classes: readonly string[];
  readonly bars: readonly {
    readonly model: string;
    readonly name: string;
    readonly accuracy: number;
    readonly logLoss: number;
    readonly count: number;
  }[];
}

/** Accuracy by class: for each class one bar for each model. */
export function classChart(kit: Kit, { id, height, models, classes, bars }: ClassData): void {
  const { plot } = kit;
  const color = ({ model }: { readonly model: string }): string => kit.color(model);
  const band = { x: 'accuracy', y: 'model', fy: 'name' };
  kit.chart(id, (width) =>
    plot.plot({
      width,
      height,
      marginLeft: 116,
      marginRight: 44,
      marginTop: 26,
      marginBottom: 6,
      x: {
        domain: [0, 1],
        axis: 'top',
        tickSize: 0,
        label: null,
        grid: true,
        ticks: width < 500 ? 3 : 6,
        tickFormat: (tick: number) => `${(100 * tick).toFixed(0)} %`,
      },
      y: { domain: models, axis: null, padding: 0.12 },
      fy: { domain: classes, label: null, padding: 0.22, tickFormat: kit.words },
      marks: [
        plot.barX(bars, { ...band, fill: color, rx2: 2 }),
        models.length > 4
          ? null
          : plot.text(bars, {
              ...band,
              text: ({ accuracy }: { readonly accuracy: number }) => (100 * accuracy).toFixed(1),
              textAnchor: 'start',
              dx: 4,
              fontSize: 10,
              fillOpacity: 0.75,
            }),
        plot.tip(bars, {
          ...kit.tip,
          ...plot.pointerY({ ...band, maxRadius: Infinity }),
          stroke: 'var(--line)',
          channels: {
            scene: { value: 'name', label: 'scene' },
            net: { value: 'model', label: 'model' },
            share: { value: 'accuracy', label: 'accuracy' },
            loss: { value: 'logLoss', label: 'log loss' },
            samples: { value: 'count', label: 'samples' },
          },
          format: {
            scene: (name: string) => kit.words(name),
            net: true,
            share: (value: number) => kit.percent(value),
            loss: (value: number) => value.toFixed(4),
            samples: (value: number) => kit.count(value),
            x: false,
            y: false,
            fy: false,
          },
        }),
      ],
    }),
  );
}
