import type { BufferRef, Dispatch } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { ChannelTable, MapView } from '../../src/kernels/maps.ts';
import { normal } from '../support/hash.ts';
import { buffer, runDispatches } from './run.ts';
import type { Values } from './run.ts';

/** Where a map's channels lie in its buffer: [channels of the buffer, first one of the map]. */
export type Slice = readonly [bufferChannels: number, offset: number];

/** A map's values, dense and exact, and the buffer that holds them. */
interface MapValues {
  readonly view: MapView;
  readonly dense: Float64Array<ArrayBuffer>;
  /** The whole buffer; outside the slice it is `filler`. */
  readonly stored: Float32Array<ArrayBuffer>;
}

/** A slice of random values in a buffer that is NaN elsewhere, so that reading beyond the slice shows. */
export function mapValues(
  name: string,
  [images, channels, pixels]: readonly [number, number, number],
  [bufferChannels, offset]: Slice = [channels, 0],
  filler = Number.NaN,
): MapValues {
  const view = viewOf(images, channels, pixels, [bufferChannels, offset]);
  const dense = Float64Array.from(normal(name, images * channels * pixels));
  const stored = new Float32Array(view.buffer.length).fill(filler);
  dense.forEach((value, i) => (stored[storedIndex(view, i)] = value));
  return { view, dense, stored };
}

/** The map alone, for a kernel to write. */
export const viewOf = (
  images: number,
  channels: number,
  pixels: number,
  [bufferChannels, offset]: Slice = [channels, 0],
): MapView => ({
  buffer: buffer(images * bufferChannels * pixels),
  images,
  channels,
  pixels,
  bufferChannels,
  offset,
});

/** Index in the buffer of element i of the dense map. */
function storedIndex({ channels, pixels, bufferChannels, offset }: MapView, i: number): number {
  const image = Math.floor(i / (channels * pixels));
  return (image * bufferChannels + offset) * pixels + (i - image * channels * pixels);
}

/** The view's part of a buffer's contents. */
export function pick(view: MapView, contents: Values | undefined): Float64Array<ArrayBuffer> {
  const length = view.images * view.channels * view.pixels;
  return Float64Array.from({ length }, (_, i) => contents?.[storedIndex(view, i)] ?? Number.NaN);
}

/** Whether everything beside the view still is what it was. */
export function outsideKept(view: MapView, before: Values, after: Values | undefined): boolean {
  const inside = new Set(Array.from(pick(view, before), (_, i) => storedIndex(view, i)));
  return after !== undefined && after.every((value, i) => inside.has(i) || Object.is(value, before[i]));
}

export const channelOf = ({ channels, pixels }: MapView, i: number): number =>
  Math.floor(i / pixels) % channels;

/** A table of these rows for the channels of a slice, NaN for others. */
export function tableOf(
  rows: readonly ArrayLike<number>[],
  [bufferChannels, offset]: Slice,
): { readonly table: ChannelTable; readonly stored: Float32Array<ArrayBuffer> } {
  const stored = new Float32Array(rows.length * bufferChannels).fill(Number.NaN);
  rows.forEach((row, r) => stored.set(Array.from(row), r * bufferChannels + offset));
  return { table: { buffer: buffer(stored.length), bufferChannels, offset }, stored };
}

/** Row r of a table's contents, for its first `channels` channels. */
export const rowOf = (
  { bufferChannels, offset }: ChannelTable,
  contents: Values | undefined,
  r: number,
  channels: number,
): number[] =>
  Array.from({ length: channels }, (_, c) => contents?.[r * bufferChannels + offset + c] ?? Number.NaN);

/** What a norm's table holds, in f64: rounded to f32 first, as the kernel sees it. */
interface NormValues {
  readonly rows: readonly Float64Array[];
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  readonly mean: Float64Array;
  readonly invstd: Float64Array;
  readonly weight: Float64Array;
}

export function normValues(name: string, channels: number): NormValues {
  const random = (row: string): Float64Array => Float64Array.from(normal(`${name} ${row}`, channels));
  const weight = random('weight');
  const mean = random('mean');
  const invstd = random('invstd').map((v) => Math.fround(0.5 + v * v));
  const scale = weight.map((w, c) => Math.fround(w * (invstd[c] ?? 0)));
  const shift = random('bias').map((b, c) => Math.fround(b - (mean[c] ?? 0) * (scale[c] ?? 0)));
  return { rows: [scale, shift, mean, invstd, weight], scale, shift, mean, invstd, weight };
}

/** The dense map after scale x + shift and, with relu, max(0, that). */
export const activated = ({ view, dense }: MapValues, norm: NormValues, relu: boolean): Float64Array =>
  dense.map((x, i) => {
    const c = channelOf(view, i);
    const y = (norm.scale[c] ?? 0) * x + (norm.shift[c] ?? 0);
    return relu ? Math.max(0, y) : y;
  });

/** The gradient p G + q x + s that a load makes. */
export const gradientOf = (
  dy: MapValues,
  input: MapValues,
  [p, q, s]: readonly ArrayLike<number>[],
): Float64Array =>
  dy.dense.map((g, i) => {
    const c = channelOf(dy.view, i);
    return (p?.[c] ?? 0) * g + (q?.[c] ?? 0) * (input.dense[i] ?? 0) + (s?.[c] ?? 0);
  });

/** A norm's output gradient behind its ReLU; as in PyTorch it passes where the ReLU's result is NaN. */
export const masked = (dy: Float64Array, { view, dense }: MapValues, norm: NormValues): Float64Array =>
  dy.map((v, i) => {
    const c = channelOf(view, i);
    return (norm.scale[c] ?? 0) * (dense[i] ?? 0) + (norm.shift[c] ?? 0) <= 0 ? 0 : v;
  });

/** Mean and centred squares of each channel. */
export function momentsOf(values: Float64Array, channel: (i: number) => number, channels: number) {
  const means = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  const count = values.length / channels;
  values.forEach((v, i) => (means[channel(i)] = (means[channel(i)] ?? 0) + v / count));
  values.forEach((v, i) => {
    const c = channel(i);
    squares[c] = (squares[c] ?? 0) + (v - (means[c] ?? 0)) ** 2;
  });
  return { means, squares };
}

/** Sums of g xhat and of g over each channel. */
export function sumsOf(g: Float64Array, { view, dense }: MapValues, norm: NormValues) {
  const products = new Array<number>(view.channels).fill(0);
  const gradients = new Array<number>(view.channels).fill(0);
  g.forEach((v, i) => {
    const c = channelOf(view, i);
    const xhat = ((dense[i] ?? 0) - (norm.mean[c] ?? 0)) * (norm.invstd[c] ?? 0);
    products[c] = (products[c] ?? 0) + v * xhat;
    gradients[c] = (gradients[c] ?? 0) + v;
  });
  return { products, gradients };
}

/** runDispatches twice: sums have a fixed order, so both runs must give the same bits. */
export async function runTwice(
  gpu: Gpu,
  dispatches: readonly Dispatch[],
  bindings: ReadonlyMap<BufferRef, Values>,
): Promise<Map<BufferRef, Values>> {
  const first = await runDispatches(gpu, dispatches, bindings);
  const second = await runDispatches(gpu, dispatches, bindings);
  for (const [ref, values] of first) {
    const again = second.get(ref);
    const bits = new Uint32Array(values.buffer);
    const same = again !== undefined && new Uint32Array(again.buffer).every((word, i) => word === bits[i]);
    if (!same) throw new Error(`two runs differ in a buffer of ${ref.length}`);
  }
  return first;
}
