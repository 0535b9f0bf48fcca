// The samples of code in the guide and in the README.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

export interface Sample {
  /** The file and the line that it begins at. */
  readonly where: string;
  readonly language: string;
  /** What follows the language in the fence: `page` for what needs a page, `from FILE` for a part of a file. */
  readonly note: string;
  readonly code: string;
  /** What the sample supposes, from the comment before it: never shown. */
  readonly preamble: string;
  /** What it prints, from the fence of text right after it; null if the page does not say. */
  readonly prints: string | null;
}

/** The README has no comments for tests: what its samples suppose, by the heading above them. */
const README: Readonly<Record<string, Pick<Sample, 'preamble' | 'note'>>> = {
  'The classifier': {
    note: 'page',
    preamble: `
      const onProgress = () => undefined;
      const audio = new Float32Array(48_000).map((_, i) => Math.sin(i / 20));
      const sampleRate = 48_000;
      const images = new OffscreenCanvas(64, 64);
      images.getContext('2d')?.fillRect(0, 0, 32, 64);
      const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
      // The loop ends when the stream does.
      const show = (...shown: [string, number]) => stream.getTracks().forEach((track) => track.stop());
    `,
  },
  'In an app with a GPUDevice of its own': {
    note: '',
    preamble: `
      import { Device, type Tensor } from 'wavelight';
      import { openNodeGpu } from 'wavelight/node';
      const { adapter: found } = await openNodeGpu({ adapter: 'auto', profile: 'checked' });
      const apps = await found.requestDevice(Device.descriptor(found));
      const { features, limits, info } = found;
      const adapter = { features, limits, info, requestDevice: () => Promise.resolve(apps) } as GPUAdapter;
      const buffer = apps.createBuffer({ size: 4096 * 16, usage: 0x80 | 0x4 | 0x8 });
      const net = { forward: (x: Tensor) => x.mul(2) };
      const simulate = (encoder: GPUCommandEncoder) => encoder.insertDebugMarker('mine');
    `,
  },
};

const FENCE = /^```(\w*) ?(.*)\n([^]*?)^```$/gm;
const PREAMBLE = /<!-- sample\n((?:(?!-->)[^])*)-->\s*$/;

function samplesIn(file: string): Sample[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = [...text.matchAll(FENCE)];
  return found.flatMap((match, i): Sample[] => {
    const [whole, language = '', note = '', code = ''] = match;
    if (language === 'text') return [];
    const before = text.slice(0, match.index);
    const next = found[i + 1];
    const end = match.index + whole.length;
    const follows = next?.[1] === 'text' && text.slice(end, next.index).trim() === '';
    const heading = [...before.matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? '';
    const supposed = file === 'README.md' && language === 'ts' ? README[heading] : undefined;
    return [
      {
        where: `${file}:${before.split('\n').length}`,
        language,
        note: supposed?.note ?? note,
        code,
        preamble: supposed?.preamble ?? PREAMBLE.exec(before)?.[1] ?? '',
        prints: follows ? (next[3] ?? '').trimEnd() : null,
      },
    ];
  });
}

/** Of all pages, in their order. */
export const SAMPLES: readonly Sample[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].flatMap(samplesIn);

/** Samples in TypeScript that are programs, for a page or for Node. */
export const programs = (where: 'page' | 'node'): readonly Sample[] =>
  SAMPLES.filter(({ language, note }) => language === 'ts' && note === (where === 'page' ? 'page' : ''));

/** A sample as a module, with what it supposes before it. */
export const moduleOf = ({ preamble, code }: Sample): string => `${preamble}\n${code}\nexport {};\n`;
