import type { Kit } from './kit.ts';

interface ConfusionData {
  readonly id: string;
  readonly classes: readonly string[];
  /** Counts [true class, predicted class] by model. */
  readonly matrices: readonly {
    readonly model: string;
    readonly confusion: readonly (readonly number[])[];
  }[];
}

/** A confusion matrix of the chosen model. Shades are fractions of the row: one hue for right, another for wrong predictions. */
export function confusionChart(kit: Kit, { id, classes, matrices }: ConfusionData): void {
  const { plot } = kit;
  const draw = kit.chart(id, (width) => {
    const [model] = kit.checked(`${id}-model`);
    const confusion = matrices.find((matrix) => matrix.model === model)?.confusion ?? [];
    const cells = confusion.flatMap((row, t) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return row.map((count, p) => ({
        truth: classes[t] ?? '',
        predicted: classes[p] ?? '',
        right: t === p,
        count,
        total,
        share: total === 0 ? 0 : count / total,
      }));
    });
    type Cell = (typeof cells)[number];
    const small = width < 520;
    const marginLeft = small ? 100 : 124;
    const marginTop = small ? 78 : 92;
    const side = Math.min(width - marginLeft - 4, 560);
    const band = { x: 'predicted', y: 'truth' };
    const digits = ({ share, count }: Cell): string => {
      if (count === 0) return '';
      if (share < 0.005) return '<1';
      return (100 * share).toFixed(small || share > 0.9995 ? 0 : 1);
    };
    return plot.plot({
      width: marginLeft + side + 4,
      height: marginTop + side + 4,
      marginLeft,
      marginTop,
      marginRight: 4,
      marginBottom: 4,
      x: {
        domain: classes,
        axis: 'top',
        label: null,
        tickRotate: -45,
        tickSize: 0,
        tickFormat: kit.words,
        padding: 0,
      },
      y: { domain: classes, label: null, tickSize: 0, tickFormat: kit.words, padding: 0 },
      marks: [
        plot.cell(cells, { ...band, inset: 1, rx: 3, fill: 'var(--cell)' }),
        plot.cell(cells, {
          ...band,
          inset: 1,
          rx: 3,
          fill: ({ right }: Cell) => (right ? 'var(--right)' : 'var(--wrong)'),
          fillOpacity: { value: ({ share }: Cell) => share ** 0.6, scale: null },
        }),
        plot.text(cells, {
          ...band,
          text: digits,
          fontSize: small ? 9.5 : 12,
          fill: ({ share }: Cell) => (share > 0.35 ? 'var(--on-strong)' : 'var(--ink)'),
        }),
        plot.cell(cells, plot.pointer({ ...band, inset: 1, rx: 3, stroke: 'var(--ink)', strokeWidth: 1.5 })),
        plot.tip(cells, {
          ...kit.tip,
          ...plot.pointer(band),
          stroke: 'var(--line)',
          channels: {
            is: { value: 'truth', label: 'true scene' },
            taken: { value: 'predicted', label: 'recognized as' },
            part: { value: 'share', label: 'share' },
            samples: {
              value: ({ count, total }: Cell) => `${kit.count(count)} of ${kit.count(total)}`,
              label: 'samples',
            },
          },
          format: {
            is: (name: string) => kit.words(name),
            taken: (name: string) => kit.words(name),
            part: (value: number) => kit.percent(value),
            samples: true,
            x: false,
            y: false,
          },
        }),
      ],
    });
  });
  kit.onChange(`${id}-controls`, draw);
}
