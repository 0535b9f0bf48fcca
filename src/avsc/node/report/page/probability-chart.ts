import type { Kit } from './kit.ts';

interface ProbabilityData {
  readonly id: string;
  readonly height: number;
  readonly classes: readonly string[];
  readonly truth: string;
  /** The model of the bars; the others are dots. */
  readonly final: string;
  readonly models: readonly { readonly model: string; readonly probabilities: readonly number[] }[];
}

/** The probabilities of one sample: a bar for each class, the true class in bold, what the other models say as dots. */
export function probabilityChart(
  kit: Kit,
  { id, height, classes, truth, final, models }: ProbabilityData,
): void {
  const { plot } = kit;
  const values = models.flatMap(({ model, probabilities }) =>
    classes.map((name, c) => ({ model, name, p: probabilities[c] ?? 0 })),
  );
  const bars = values.filter(({ model }) => model === final);
  // Dots at zero would hide each other.
  const dots = values.filter(({ model, p }) => model !== final && p >= 0.01);
  const best = bars.reduce((most, { p }) => Math.max(most, p), 0);
  type Value = (typeof values)[number];
  const fill = ({ name, p }: Value): string => {
    if (name === truth) return 'var(--right)';
    return p === best ? 'var(--wrong)' : 'var(--quiet)';
  };
  const said = (name: string): string =>
    models
      .map(
        ({ model, probabilities }) => `${model}: ${kit.percent(probabilities[classes.indexOf(name)] ?? 0)}`,
      )
      .join('\n');
  kit.chart(id, (width) =>
    plot.plot({
      width,
      height,
      marginLeft: 106,
      marginRight: 36,
      marginTop: 2,
      marginBottom: 2,
      x: { domain: [0, 1], axis: null },
      y: { domain: classes, axis: null, padding: 0.28 },
      marks: [
        plot.barX(classes, { x1: 0, x2: 1, y: (name: string) => name, fill: 'var(--cell)', rx: 2 }),
        plot.barX(bars, { x: 'p', y: 'name', fill, rx: 2 }),
        plot.dot(dots, {
          x: 'p',
          y: 'name',
          fill: ({ model }: Value) => kit.color(model),
          stroke: 'var(--surface)',
          r: 3,
        }),
        ...[true, false].map((isTruth) =>
          plot.text(
            classes.filter((name) => (name === truth) === isTruth),
            {
              frameAnchor: 'left',
              y: (name: string) => name,
              text: kit.words,
              textAnchor: 'end',
              dx: -8,
              fontWeight: isTruth ? 700 : 400,
            },
          ),
        ),
        plot.text(bars, {
          frameAnchor: 'right',
          y: 'name',
          text: ({ p }: Value) => (p < 0.0005 ? '' : (100 * p).toFixed(1)),
          textAnchor: 'end',
          dx: 34,
          fillOpacity: 0.75,
        }),
        plot.tip(bars, {
          ...kit.tip,
          ...plot.pointerY({ x: 'p', y: 'name', maxRadius: Infinity }),
          stroke: 'var(--line)',
          title: ({ name }: Value) => `${kit.words(name)}\n${said(name)}`,
        }),
      ],
    }),
  );
}
