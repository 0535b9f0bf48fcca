// Draws the README's picture: confusion matrices of the three models of a run, side by side.
//   node tools/demo-picture.ts runs/small-1 docs/demo.svg

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SCENES } from '../src/avsc/dataset/scenes.ts';
import type { RunResults } from '../src/avsc/training/records.ts';

const CELL = 18;
const LEFT = 122;
const TOP = 34;
const GAP = 26;
const STAGES = ['audio', 'video', 'joint'] as const;
const TITLES = { audio: 'sound alone', video: 'picture alone', joint: 'both' } as const;

const [run, out] = process.argv.slice(2);
if (run === undefined || out === undefined) throw new Error('usage: node tools/demo-picture.ts RUN OUT.svg');
const results = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8')) as RunResults;
const side = CELL * SCENES.length;
const width = LEFT + STAGES.length * side + (STAGES.length - 1) * GAP + 8;
const height = TOP + side + 8;

const names = SCENES.map(
  (name, i) =>
    `<text x="${LEFT - 8}" y="${TOP + i * CELL + 13}" text-anchor="end">${name.replace('_', ' ')}</text>`,
);
const matrices = STAGES.map((stage, s) => {
  const metrics = results[stage];
  if (metrics === undefined) throw new Error(`${run} has no metrics of the ${stage} model`);
  const { confusion, accuracy } = metrics;
  const x0 = LEFT + s * (side + GAP);
  const title = `<text class="title" x="${x0 + side / 2}" y="20" text-anchor="middle">${TITLES[stage]}: ${(100 * accuracy.macro).toFixed(1)} %</text>`;
  const cells = confusion.flatMap((row, r) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, c) => {
      const part = total === 0 ? 0 : count / total;
      const colour = r === c ? '#1f8a4c' : '#c23b22';
      const place = `x="${x0 + c * CELL}" y="${TOP + r * CELL}" width="${CELL - 1}" height="${CELL - 1}"`;
      return `<rect ${place} fill="#88888822"/><rect ${place} fill="${colour}" fill-opacity="${part.toFixed(3)}"/>`;
    });
  });
  return title + cells.join('');
});
const style = 'text{font:12px system-ui,sans-serif;fill:#777}.title{font-weight:600;font-size:13px}';
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">` +
    `<title>Confusion matrices on the made data set: rows are true scenes, columns predicted ones</title>` +
    `<style>${style}</style>${names.join('')}${matrices.join('')}</svg>\n`,
);
