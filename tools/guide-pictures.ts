// Draws the pictures of the guide, by the same code that augments and plans:
//   npx node --import ./bin/wgsl.js tools/guide-pictures.ts

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { PICTURE_OPERATIONS } from '../src/avsc/augment/pictures/registry.ts';
import { operationProgram } from '../src/avsc/augment/pictures/policy.ts';
import { perturbBytes } from '../src/avsc/augment/pictures/perturb.ts';
import { randomStream } from '../src/avsc/dataset/random.ts';

const DOCS = join(import.meta.dirname, '..', 'docs');
const SIDE = 96;

const STYLE =
  '<style>text{font:13px system-ui,sans-serif;fill:#1a1d21}.quiet{fill:#565d66}.box{fill:#fff;stroke:#0a6173}.line{stroke:#565d66;fill:none}' +
  '@media (prefers-color-scheme:dark){text{fill:#e8eaed}.quiet{fill:#a3abb5}.box{fill:#1d2125;stroke:#5cc4d8}.line{stroke:#a3abb5}}</style>';

const svg = (width: number, height: number, title: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">` +
  `<title>${title}</title>${STYLE}${body}</svg>\n`;

/** A street that is drawn, so that nobody's photograph is needed. */
const STREET = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="${SIDE}" height="${SIDE}">
  <defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop stop-color="#4a90d9"/><stop offset="1" stop-color="#f3d9b0"/></linearGradient></defs>
  <rect width="96" height="62" fill="url(#sky)"/><circle cx="74" cy="20" r="9" fill="#fff3c4"/>
  <rect x="4" y="22" width="24" height="42" fill="#8c4a3a"/><rect x="30" y="34" width="20" height="30" fill="#d8c9a8"/>
  <path d="M4 22 16 12 28 22z" fill="#5a2f26"/>
  <g fill="#ffe9a0"><rect x="8" y="28" width="5" height="7"/><rect x="19" y="28" width="5" height="7"/><rect x="8" y="42" width="5" height="7"/><rect x="34" y="40" width="4" height="6"/><rect x="42" y="40" width="4" height="6"/></g>
  <circle cx="64" cy="44" r="12" fill="#3f7d3a"/><rect x="62" y="52" width="4" height="14" fill="#5b4330"/>
  <rect y="62" width="96" height="34" fill="#5a5f66"/><path d="M44 96 47 62h2l3 34z" fill="#e6e6e0"/>
  <rect x="58" y="70" width="28" height="12" rx="4" fill="#c8352b"/><circle cx="65" cy="83" r="4" fill="#1c1c1c"/><circle cx="79" cy="83" r="4" fill="#1c1c1c"/>
</svg>`;

/** Every operation on pictures at magnitude 9, as a tile with its name below. */
async function augmentations(): Promise<string> {
  const extent = { width: SIDE, height: SIDE };
  const { data } = await sharp(Buffer.from(STREET)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const area = SIDE * SIDE;
  const planes = Uint8Array.from(
    { length: 3 * area },
    (_, i) => data[3 * (i % area) + Math.floor(i / area)] ?? 0,
  );
  const names = [
    'Identity',
    ...PICTURE_OPERATIONS.map(({ name }) => name).filter((name) => name !== 'Identity'),
  ] as const;
  const [columns, pitchX, pitchY] = [6, SIDE + 16, SIDE + 34];
  const tiles = await Promise.all(
    names.map(async (name, i) => {
      const program = operationProgram(name, 9, 'original', extent, randomStream(1));
      const made = perturbBytes(planes, program, extent);
      const pixels = Uint8Array.from(
        { length: 3 * area },
        (_, k) => made[(k % 3) * area + Math.floor(k / 3)] ?? 0,
      );
      const bytes = await sharp(pixels, { raw: { ...extent, channels: 3 } })
        .webp({ quality: 70 })
        .toBuffer();
      const [x, y] = [8 + (i % columns) * pitchX, 8 + Math.floor(i / columns) * pitchY];
      return (
        `<image x="${x}" y="${y}" width="${SIDE}" height="${SIDE}" href="data:image/webp;base64,${bytes.toString('base64')}"/>` +
        `<text x="${x + SIDE / 2}" y="${y + SIDE + 17}" text-anchor="middle">${name}</text>`
      );
    }),
  );
  const rows = Math.ceil(names.length / columns);
  return svg(
    columns * pitchX,
    rows * pitchY + 4,
    'Each operation on pictures at magnitude 9 of the original scale',
    tiles.join(''),
  );
}

/** What happens to a step: recorded and planned once, replayed after. */
function replay(): string {
  const box = (x: number, y: number, title: string, ...lines: readonly string[]): string =>
    `<rect class="box" x="${x}" y="${y}" width="168" height="86" rx="6"/><text x="${x + 12}" y="${y + 23}" font-weight="600">${title}</text>` +
    lines
      .map((line, i) => `<text class="quiet" x="${x + 12}" y="${y + 44 + 18 * i}">${line}</text>`)
      .join('');
  const arrow = (path: string): string => `<path class="line" d="${path}" marker-end="url(#head)"/>`;
  return svg(
    724,
    232,
    'A compiled function is recorded and planned at its first call, and replayed at each later one',
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="line" d="M1 1 7 4 1 7"/></marker></defs>' +
      '<text class="quiet" x="8" y="20">first call with these shapes</text>' +
      box(8, 32, 'record', 'your function runs;', 'each op is a node') +
      box(192, 32, 'plan', 'fusion, order,', 'lifetimes, memory') +
      box(376, 32, 'compile', 'all pipelines at once,', 'bind groups') +
      box(548, 132, 'run', 'one compute pass,', 'one submit') +
      '<text class="quiet" x="8" y="156">each later call</text>' +
      '<text x="8" y="180">inputs are written,</text><text x="8" y="198">the plan is run again</text>' +
      arrow('M176 75h14') +
      arrow('M360 75h14') +
      arrow('M544 75h88v54') +
      arrow('M150 176h394'),
  );
}

writeFileSync(join(DOCS, 'augmentations.svg'), await augmentations());
writeFileSync(join(DOCS, 'replay.svg'), replay());
