import avgSource from '../../shaders/avg_pool.wgsl';
import avgBackwardSource from '../../shaders/avg_pool_backward.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import view from '../../shaders/lib_pool_view.wgsl';
import relu from '../../shaders/lib_relu.wgsl';
import window from '../../shaders/lib_window.wgsl';
import maxSource from '../../shaders/max_pool.wgsl';
import maxBackwardSource from '../../shaders/max_pool_backward.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { DTYPE_BYTES, movedBytes, i32, u32 } from '../gpu/dispatch.ts';
import type { BufferRef, Dispatch, Operand, ParamValue } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { bindAll } from './bindings.ts';
import { spread, type KernelContext } from './context.ts';
import { accessOf, mapBytes } from './maps.ts';
import type { ActivationLoad, MapView, PlainLoad } from './maps.ts';
import { expandTemplate, type TemplateValues } from './template.ts';

/** Height, then width. */
export type Size2d = readonly [number, number];

export interface PoolWindow {
  readonly kernel: Size2d;
  readonly stride: Size2d;
  readonly padding: Size2d;
  readonly dilation: Size2d;
}

export interface PoolShape {
  /** Images times channels. */
  readonly planes: number;
  readonly input: Size2d;
  readonly output: Size2d;
  /** Null for adaptive pooling, whose windows follow from the sizes. */
  readonly window: PoolWindow | null;
}

/** Where x and y lie in wider maps, and what x becomes in the load. */
interface PoolViews {
  readonly x: PlainLoad | ActivationLoad;
  readonly y: MapView;
}

/** The first maximum of each window, and its place in the plane (i32) unless `indices` is null. */
export function maxPool(
  { geometry }: KernelContext,
  x: BufferRef,
  y: BufferRef,
  indices: BufferRef | null,
  pooling: PoolShape,
  views: PoolViews | null = null,
): Dispatch {
  const shape = withWindow(pooling);
  const { operands, substitute } = forwardOperands(x, y, indices, views);
  const code = expandTemplate('max_pool', maxSource, {
    include: { window, view, nan, relu, threads: threadsLibrary },
    when: { ...windowOptions(shape, false), ...viewOptions(views), INDICES: indices !== null },
    substitute: { ...substitute, ...tapBounds(shape) },
  });
  const flops = tapsOf(shape) * outputsOf(shape);
  return poolDispatch(geometry, 'maxPool2d', code, operands, shape, { size: shape.output }, flops, views);
}

/** Gradient of maxPool to x. */
export function maxPoolGradient(
  { geometry }: KernelContext,
  dy: BufferRef,
  indices: BufferRef,
  dx: BufferRef,
  pooling: PoolShape,
): Dispatch {
  const shape = withWindow(pooling);
  const code = expandTemplate('max_pool_backward', maxBackwardSource, windowTemplate(shape, false));
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: indices, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  return poolDispatch(
    geometry,
    'maxPool2d backward',
    code,
    operands,
    shape,
    writtenByGradient(shape),
    dy.length,
  );
}

/** The mean of each window; `countPadding` divides by its size with padding. Dilation must be 1. */
export function avgPool(
  { geometry }: KernelContext,
  x: BufferRef,
  y: BufferRef,
  pooling: PoolShape,
  countPadding: boolean,
  views: PoolViews | null = null,
): Dispatch {
  const shape = withWindow(pooling);
  const { operands, substitute } = forwardOperands(x, y, null, views);
  const code = expandTemplate('avg_pool', avgSource, {
    include: { window, view, relu, threads: threadsLibrary },
    when: { ...windowOptions(shape, countPadding), ...viewOptions(views) },
    substitute: { ...substitute, ...tapBounds(shape) },
  });
  const flops = tapsOf(shape) * outputsOf(shape);
  return poolDispatch(geometry, 'avgPool2d', code, operands, shape, { size: shape.output }, flops, views);
}

/** Gradient of avgPool to x. */
export function avgPoolGradient(
  { geometry }: KernelContext,
  dy: BufferRef,
  dx: BufferRef,
  pooling: PoolShape,
  countPadding: boolean,
): Dispatch {
  const shape = withWindow(pooling);
  const code = expandTemplate('avg_pool_backward', avgBackwardSource, windowTemplate(shape, countPadding));
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  const flops = tapsOf(shape) * dy.length;
  return poolDispatch(geometry, 'avgPool2d backward', code, operands, shape, writtenByGradient(shape), flops);
}

const windowOptions = (shape: PoolShape, countPadding: boolean): Record<string, boolean> => ({
  ADAPTIVE: shape.window === null,
  COUNT_PADDING: countPadding,
  DILATED: shape.window?.dilation.some((step) => step !== 1) ?? false,
  INSIDE: shape.window !== null && AXES.every((axis) => liesInside(shape, shape.window ?? NO_WINDOW, axis)),
});

/** Adaptive windows that all have one size lie side by side: those of a pooling with that kernel and stride. */
function withWindow(shape: PoolShape): PoolShape {
  const { input, output } = shape;
  if (shape.window !== null || AXES.some((axis) => input[axis] % output[axis] !== 0)) return shape;
  const kernel: Size2d = [input[0] / output[0], input[1] / output[1]];
  return { ...shape, window: { ...NO_WINDOW, kernel, stride: kernel } };
}

const AXES = [0, 1] as const;
type Axis = (typeof AXES)[number];

/** Whether every tap of every window lies in the input. */
function liesInside({ input, output }: PoolShape, window: PoolWindow, axis: Axis): boolean {
  const last = (output[axis] - 1) * window.stride[axis] + reachOf(window, axis);
  return window.padding[axis] === 0 && last <= input[axis];
}

/** Positions from a window's first tap to its last. */
const reachOf = ({ kernel, dilation }: PoolWindow, axis: Axis): number =>
  (kernel[axis] - 1) * dilation[axis] + 1;

/** Most positions that a part has where `size` positions are cut into `parts`, which overlap in what they share. */
function largestPart(size: number, parts: number): number {
  let largest = 0;
  for (let part = 0; part < parts; part++) {
    const start = Math.floor((part * size) / parts);
    largest = Math.max(largest, Math.ceil(((part + 1) * size) / parts) - start);
  }
  return largest;
}

/** Most taps of a window along an axis. */
const tapsAlong = ({ input, output, window }: PoolShape, axis: Axis): number =>
  window === null ? largestPart(input[axis], output[axis]) : window.kernel[axis];

/** Most windows along an axis that reach over one position. */
const readersAlong = ({ input, output, window }: PoolShape, axis: Axis): number =>
  window === null
    ? largestPart(output[axis], input[axis])
    : Math.ceil(reachOf(window, axis) / window.stride[axis]);

const strides = ({ window }: PoolShape): Record<string, number> => {
  const [y, x] = (window ?? NO_WINDOW).stride;
  return { STRIDE_Y_: y, STRIDE_X_: x };
};

const tapBounds = (shape: PoolShape): Record<string, number> => ({
  ...strides(shape),
  TAPS_Y_: tapsAlong(shape, 0),
  TAPS_X_: tapsAlong(shape, 1),
});

const readerBounds = (shape: PoolShape): Record<string, number> => ({
  ...strides(shape),
  READERS_Y_: readersAlong(shape, 0),
  READERS_X_: readersAlong(shape, 1),
});

/** Operands of the forward kernels, in the order of their bindings. */
function forwardOperands(x: BufferRef, y: BufferRef, indices: BufferRef | null, views: PoolViews | null) {
  const norm = views?.x.kind === 'activation' ? views.x.norm.buffer : null;
  return bindAll(
    [
      { buffer: x, access: 'read' },
      { buffer: y, access: views === null ? 'write' : accessOf(views.y) },
    ],
    {
      INDICES: indices === null ? null : { buffer: indices, access: 'write' },
      NORM: norm === null ? null : { buffer: norm, access: 'read' },
    },
  );
}

const viewOptions = (views: PoolViews | null): Record<string, boolean> => ({
  BLOCKS: false,
  VECTOR: false,
  VIEWS: views !== null,
  ACTIVATION: views?.x.kind === 'activation',
  RELU: views?.x.kind === 'activation' && views.x.relu,
});

function viewParams({ x, y }: PoolViews): Record<string, ParamValue> {
  return {
    channels: i32(y.channels),
    x_image: i32(x.map.bufferChannels * x.map.pixels),
    x_first: i32(x.map.offset * x.map.pixels),
    y_image: i32(y.bufferChannels * y.pixels),
    y_first: i32(y.offset * y.pixels),
    ...(x.kind === 'activation' && {
      table_channels: i32(x.norm.bufferChannels),
      table_first: i32(x.norm.offset),
    }),
  };
}

const windowTemplate = (shape: PoolShape, countPadding: boolean): TemplateValues => ({
  include: { window, threads: threadsLibrary },
  when: { ...windowOptions(shape, countPadding), VIEWS: false, ACTIVATION: false, BLOCKS: hasBlocks(shape) },
  substitute: readerBounds(shape),
});

/** Longer code is not worth its loads. */
const MOST_TERMS = 64;

/** Whether the gradient is made by blocks: for each position and window of a block the code has a term. */
function hasBlocks(shape: PoolShape): boolean {
  if (shape.window === null) return false;
  const [y, x] = shape.window.stride;
  return y * x * readersAlong(shape, 0) * readersAlong(shape, 1) <= MOST_TERMS;
}

/** What threads write of a plane: rows and columns of positions or blocks, and what the kernel wants to know of these. */
interface Written {
  readonly size: Size2d;
  readonly params?: Readonly<Record<string, ParamValue>>;
}

function writtenByGradient(shape: PoolShape): Written {
  const { input, window } = shape;
  if (window === null || !hasBlocks(shape)) return { size: input };
  const along = (axis: Axis): number => Math.ceil((input[axis] + window.padding[axis]) / window.stride[axis]);
  const size: Size2d = [along(0), along(1)];
  return { size, params: { block_rows: i32(size[0]), block_columns: i32(size[1]) } };
}

/** Elements of a window. */
function tapsOf({ input, output, window }: PoolShape): number {
  const [height, width] = window?.kernel ?? [input[0] / output[0], input[1] / output[1]];
  return Math.ceil(height) * Math.ceil(width);
}

const outputsOf = ({ planes, output }: PoolShape): number => planes * output[0] * output[1];

const NO_WINDOW: PoolWindow = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };

/** A thread for each run of neighbours in a row of what is written. */
function poolDispatch(
  geometry: AdapterProfile,
  label: string,
  code: string,
  operands: readonly Operand[],
  shape: PoolShape,
  written: Written,
  flops: number,
  views: PoolViews | null = null,
): Dispatch {
  const { planes, input, output } = shape;
  const { kernel, padding, dilation } = shape.window ?? NO_WINDOW;
  const [height, width] = written.size;
  const run = geometry.neighboursPerThread;
  const runs = Math.ceil(width / run);
  const threads = planes * height * runs;
  return {
    label: `${label} ${kernel.join('x')} [${planes}, ${input.join(', ')}] -> [${output.join(', ')}]`,
    code,
    params: {
      threads: u32(threads),
      runs: u32(runs),
      run: i32(run),
      in_height: i32(input[0]),
      in_width: i32(input[1]),
      out_height: i32(output[0]),
      out_width: i32(output[1]),
      kernel_y: i32(kernel[0]),
      kernel_x: i32(kernel[1]),
      padding_y: i32(padding[0]),
      padding_x: i32(padding[1]),
      dilation_y: i32(dilation[0]),
      dilation_x: i32(dilation[1]),
      ...(views !== null && viewParams(views)),
      ...written.params,
    },
    operands,
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops,
    bytes: views === null ? movedBytes(operands) : movedBy(views, operands),
  };
}

/** Of a wider map, its channels alone; of a norm's table two rows; of anything else all of it. */
function movedBy({ x, y }: PoolViews, operands: readonly Operand[]): number {
  const rows = x.kind === 'activation' ? 2 * x.map.channels : 0;
  const tables = [x.map.buffer, y.buffer, x.kind === 'activation' ? x.norm.buffer : null];
  const rest = operands.filter(({ buffer }) => !tables.includes(buffer));
  return mapBytes(x.map) + mapBytes(y) + rows * DTYPE_BYTES.f32 + movedBytes(rest);
}
