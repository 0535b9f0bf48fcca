import type { Kit } from './kit.ts';

interface ComparisonData {
  readonly id: string;
  readonly height: number;
  /** In the order from top to bottom. Accuracies in %. */
  readonly rows: readonly {
    readonly id: string;
    readonly label: string;
    readonly paper: number | null;
    readonly ours: number | null;
    readonly status: string;
  }[];
}

/** For each row of a table the paper's accuracy as a ring, ours as a dot, and the distance between them. */
export function comparisonChart(kit: Kit, { id, height, rows }: ComparisonData): void {
  const { plot } = kit;
  type Row = (typeof rows)[number];
  const ours = rows.filter((row) => row.ours !== null);
  const theirs = rows.filter((row) => row.paper !== null);
  const both = ours.filter((row) => row.paper !== null);
  const value = (accuracy: number | null): string =>
    accuracy === null ? 'none' : `${accuracy.toFixed(1)} %`;
  const difference = (row: Row): string => {
    if (row.ours === null || row.paper === null) return 'none';
    return `${row.ours < row.paper ? '−' : '+'}${Math.abs(row.ours - row.paper).toFixed(1)} points`;
  };
  kit.chart(id, (width) => {
    // On a narrow page a label stands above its row.
    const narrow = width < 620;
    const longest = rows.reduce((most, { label }) => Math.max(most, label.length), 0);
    const labels = Math.min(360, 0.42 * width, 28 + 7 * longest);
    return plot.plot({
      width,
      height,
      marginLeft: narrow ? 12 : labels,
      marginRight: narrow ? 16 : 28,
      marginTop: 30,
      marginBottom: 8,
      x: {
        axis: 'top',
        tickSize: 0,
        label: null,
        grid: true,
        nice: true,
        inset: 10,
        ticks: Math.min(10, Math.max(3, width / 90)),
        tickFormat: (tick: number) => `${Number(tick.toFixed(1))} %`,
      },
      y: { domain: rows.map((row) => row.id), axis: null, padding: 0.5 },
      marks: [
        plot.ruleY(rows, { y: 'id', stroke: 'var(--line)', dy: narrow ? 9 : 0 }),
        plot.link(both, {
          x1: 'paper',
          x2: 'ours',
          y: 'id',
          stroke: 'var(--c0)',
          strokeOpacity: 0.45,
          strokeWidth: 5,
          strokeLinecap: 'round',
          dy: narrow ? 9 : 0,
        }),
        plot.dot(theirs, {
          x: 'paper',
          y: 'id',
          r: 6,
          stroke: 'var(--ink)',
          strokeWidth: 2,
          fill: 'var(--surface)',
          dy: narrow ? 9 : 0,
        }),
        plot.dot(ours, {
          x: 'ours',
          y: 'id',
          r: 6,
          fill: 'var(--c0)',
          stroke: 'var(--surface)',
          dy: narrow ? 9 : 0,
        }),
        plot.text(rows, {
          y: 'id',
          frameAnchor: 'left',
          text: 'label',
          textAnchor: narrow ? 'start' : 'end',
          dx: narrow ? 0 : -14,
          dy: narrow ? -9 : 0,
          fontSize: narrow ? 11.5 : 12.5,
          lineWidth: narrow ? (width - 30) / 12 : (labels - 14) / 12.5,
          textOverflow: 'ellipsis-end',
        }),
        plot.tip(rows, {
          ...kit.tip,
          ...plot.pointerY({ x: (row: Row) => row.paper ?? row.ours, y: 'id', maxRadius: Infinity }),
          stroke: 'var(--line)',
          channels: {
            row: { value: 'label', label: 'row' },
            theirs: { value: ({ paper }: Row) => value(paper), label: 'paper' },
            mine: { value: (row: Row) => value(row.ours), label: 'ours' },
            gap: { value: difference, label: 'difference' },
            state: { value: 'status', label: 'status' },
          },
          format: { row: true, theirs: true, mine: true, gap: true, state: true, x: false, y: false },
        }),
      ],
    });
  });
}
