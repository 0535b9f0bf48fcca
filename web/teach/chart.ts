// Curves of the trainings, as SVG with a sentence for who does not see them.

export interface Curve {
  readonly name: string;
  /** Step and value. */
  readonly points: readonly (readonly [step: number, value: number])[];
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [480, 176, 44, 22, 10, 8];
const NAMESPACE = 'http://www.w3.org/2000/svg';

/** Color of the training at this index. */
export const colorOf = (index: number): string => `var(--curve-${index % 4})`;

interface Axis {
  readonly title: string;
  readonly max: number;
  readonly format: (value: number) => string;
}

/** Draws the curves from 0 to `axis.max`, and says their last values. */
export function drawCurves(svg: SVGSVGElement, curves: readonly Curve[], { title, max, format }: Axis): void {
  const steps = Math.max(1, ...curves.flatMap(({ points }) => points.map(([step]) => step)));
  const top = max > 0 ? max : 1;
  const x = (step: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * step) / steps;
  const y = (value: number): number =>
    HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * Math.min(value, top)) / top;
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  const lines = [0, 0.5, 1].flatMap((share) => [
    make('line', { class: 'axis', x1: LEFT, x2: WIDTH - RIGHT, y1: y(share * top), y2: y(share * top) }),
    make('text', { x: LEFT - 6, y: y(share * top) + 4, 'text-anchor': 'end' }, format(share * top)),
  ]);
  const ends = [
    make('text', { x: LEFT, y: HEIGHT - 6 }, '0'),
    make('text', { x: WIDTH - RIGHT, y: HEIGHT - 6, 'text-anchor': 'end' }, String(steps)),
  ];
  const drawn = curves.map(({ points }, i) =>
    make('polyline', {
      class: 'curve',
      style: `stroke: ${colorOf(i)}`,
      points: points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(' '),
    }),
  );
  svg.replaceChildren(...lines, ...ends, ...drawn);
  const said = curves.map(({ name, points }) => {
    const [step, value] = points.at(-1) ?? [0, NaN];
    return `${name}: ${Number.isNaN(value) ? 'nothing yet' : `${format(value)} at step ${step}`}`;
  });
  svg.setAttribute('aria-label', `${title}: ${said.length > 0 ? said.join('; ') : 'no training yet'}`);
}

function make(tag: string, attributes: Readonly<Record<string, string | number>>, text = ''): SVGElement {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = text;
  return element;
}
