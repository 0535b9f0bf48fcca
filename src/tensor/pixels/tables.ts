import { byteTable, packTaps, tapRecord, type PixelKind, type PixelParams } from '../../kernels/pixels.ts';
import { tapsOf } from '../../kernels/taps.ts';
import type { View } from './options.ts';
import type { CheckedSource } from './sources.ts';

/** What is done with a source's pixels. */
export interface PixelWork {
  readonly source: CheckedSource;
  readonly view: View;
  /** Of R, G and B. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** What the pixel kernels read beside pixels (lib_pixels.wgsl). */
interface PixelTables {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly params: PixelParams;
  /** Whether there is a pass over lines. */
  readonly resized: boolean;
}

export function pixelTables({ source, view, mean, std }: PixelWork, kind: PixelKind): PixelTables {
  const { crop, resize, size } = view;
  const [height, width] = size;
  const [top, left] = [middle(resize[0], height), middle(resize[1], width)];
  const resized = crop.width !== resize[1] || crop.height !== resize[0];
  const columns = resized ? tapsOf(crop.width, resize[1], left, width) : [];
  const rows = resized ? tapsOf(crop.height, resize[0], top, height) : [];
  const firstLine = rows[0]?.from ?? 0;
  const lastRow = rows.at(-1);
  const endLine = lastRow === undefined ? 0 : lastRow.from + lastRow.weights.length;
  const tables =
    kind === 'float' ? [] : mean.map((m, c) => new Uint32Array(byteTable(m, std[c] ?? 1).buffer));
  const params = {
    // Where nothing is resized, the middle is cut from the source itself.
    left: crop.x + (resized ? 0 : left),
    top: crop.y + (resized ? 0 : top),
    width,
    height,
    firstLine,
    lines: endLine - firstLine,
    columnRecord: resized ? tapRecord(columns) : 0,
    rowRecord: resized ? tapRecord(rows) : 0,
    picture: 0,
    sourceWidth: source.width,
    sourceHeight: source.height,
    mean,
    std,
  };
  return { words: join([packTaps(columns, kind), packTaps(rows, kind), ...tables]), params, resized };
}

/** Where the middle `size` pixels of `side` begin. */
const middle = (side: number, size: number): number => Math.round((side - size) / 2);

/** One array of them all, which is not empty, since a buffer cannot be. */
function join(parts: readonly Uint32Array[]): Uint32Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const words = new Uint32Array(Math.max(length, 1));
  let at = 0;
  for (const part of parts) {
    words.set(part, at);
    at += part.length;
  }
  return words;
}
