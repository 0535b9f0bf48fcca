// The charts of a report, as SVG text: loss curves and a confusion matrix.

interface Curve {
  readonly name: string;
  /** CSS colour. */
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 640;
const HEIGHT = 260;
const MARGIN = { left: 48, right: 12, top: 12, bottom: 36 } as const;
/** Longer curves are averaged down to this: more points than pixels would not be seen. */
const MOST_POINTS = 300;

/** Curves over common axes. Values that are not finite are left out. */
export function lineChart(curves: readonly Curve[], xTitle: string, yTitle: string): string {
  const shown = curves.map((curve) => ({ ...curve, points: thin(curve.points.filter(isFinitePoint)) }));
  const all = shown.flatMap(({ points }) => points);
  if (all.length === 0) return '<p>Nothing to draw yet.</p>';
  const xTicks = ticks(Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x)));
  const yTicks = ticks(0, Math.max(...all.map(({ y }) => y)));
  const [x0, x1] = ends(xTicks);
  const [y0, y1] = ends(yTicks);
  const toX = (x: number): number =>
    MARGIN.left + ((x - x0) / (x1 - x0)) * (WIDTH - MARGIN.left - MARGIN.right);
  const toY = (y: number): number =>
    HEIGHT - MARGIN.bottom - ((y - y0) / (y1 - y0)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const grid = yTicks.map(
    (y) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${px(toY(y))}" y2="${px(toY(y))}"/>` +
      `<text x="${MARGIN.left - 6}" y="${px(toY(y) + 4)}" text-anchor="end">${label(y)}</text>`,
  );
  const along = xTicks.map(
    (x) =>
      `<text x="${px(toX(x))}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${label(x)}</text>`,
  );
  const lines = shown.map(({ name, colour, points }) => {
    const path = points.map(({ x, y }) => `${px(toX(x))},${px(toY(y))}`).join(' ');
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${path}"><title>${escapeHtml(name)}</title></polyline>`;
  });
  const titles =
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${escapeHtml(xTitle)}</text>` +
    `<text transform="translate(12 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(yTitle)}</text>`;
  const legend = shown
    .map(({ name, colour }) => `<span><i style="background:${colour}"></i>${escapeHtml(name)}</span>`)
    .join('');
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(`${yTitle} over ${xTitle}`)}">` +
    `${grid.join('')}${along.join('')}${lines.join('')}${titles}</svg>` +
    (shown.length > 1 ? `<p class="legend">${legend}</p>` : '')
  );
}

/** A confusion matrix: rows are true classes, columns predicted classes, the shade is the fraction of the row. */
export function confusionChart(names: readonly string[], confusion: readonly (readonly number[])[]): string {
  const cell = 40;
  const left = 130;
  const top = 110;
  const width = left + cell * names.length + 8;
  const height = top + cell * names.length + 8;
  const columns = names.map((name, c) => {
    const x = left + c * cell + cell / 2;
    return `<text transform="translate(${x + 4} ${top - 8}) rotate(-45)">${escapeHtml(name)}</text>`;
  });
  const rows = names.map((name, r) => {
    const row = confusion[r] ?? [];
    const total = row.reduce((sum, count) => sum + count, 0);
    const y = top + r * cell;
    const cells = row.map((count, c) => {
      const part = total === 0 ? 0 : count / total;
      const title = `${name} taken for ${names[c] ?? ''}: ${count} of ${total}`;
      const x = left + c * cell;
      const number =
        count === 0
          ? ''
          : `<text class="${part > 0.5 ? 'strong' : ''}" x="${x + cell / 2}" y="${y + cell / 2 + 4}" text-anchor="middle">${count}</text>`;
      return (
        `<g><title>${escapeHtml(title)}</title><rect class="cell" x="${x + 1}" y="${y + 1}" width="${cell - 2}" height="${cell - 2}"/>` +
        `<rect class="share" x="${x + 1}" y="${y + 1}" width="${cell - 2}" height="${cell - 2}" fill-opacity="${part.toFixed(3)}"/>${number}</g>`
      );
    });
    return `<text x="${left - 8}" y="${y + cell / 2 + 4}" text-anchor="end">${escapeHtml(name)}</text>${cells.join('')}`;
  });
  return (
    `<svg class="matrix" viewBox="0 0 ${width} ${height}" role="img" aria-label="Confusion matrix: rows are the true scenes">` +
    `${columns.join('')}${rows.join('')}</svg>`
  );
}

export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

type Point = Curve['points'][number];

const isFinitePoint = ({ x, y }: Point): boolean => Number.isFinite(x) && Number.isFinite(y);

/** The points, or means over equal intervals if there are too many. */
function thin(points: readonly Point[]): Point[] {
  const stretch = Math.ceil(points.length / MOST_POINTS);
  const out: Point[] = [];
  for (let i = 0; i < points.length; i += stretch) {
    const part = points.slice(i, i + stretch);
    out.push({ x: mean(part.map(({ x }) => x)), y: mean(part.map(({ y }) => y)) });
  }
  return out;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Round numbers from at most `low` to at least `high`, in steps of 1, 2 or 5 times a power of ten. */
function ticks(low: number, high: number): number[] {
  const span = high > low ? high - low : 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = power * ([1, 2, 5, 10].find((factor) => span / (factor * power) <= 6) ?? 10);
  const first = Math.floor(low / step);
  const count = Math.max(1, Math.ceil((low + span) / step - 1e-9) - first);
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}

const ends = (values: readonly number[]): [number, number] => [values[0] ?? 0, values.at(-1) ?? 1];
const px = (value: number): string => value.toFixed(1);
const label = (value: number): string => String(Number(value.toPrecision(6)));
