import avgSource from '../../shaders/avg_pool.wgsl';
import avgBackwardSource from '../../shaders/avg_pool_backward.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import window from '../../shaders/lib_window.wgsl';
import maxSource from '../../shaders/max_pool.wgsl';
import maxBackwardSource from '../../shaders/max_pool_backward.wgsl';
import { BYTES_PER_ELEMENT, i32, u32, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import type { Geometry } from '../gpu/geometry.ts';
import { spread, type KernelContext } from './context.ts';
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

/** The first maximum of each window, and its place in the plane (i32) unless `indices` is null. */
export function maxPool(
  { geometry }: KernelContext,
  x: BufferRef,
  y: BufferRef,
  indices: BufferRef | null,
  shape: PoolShape,
): Dispatch {
  const outputs: Operand[] = [{ buffer: y, access: 'write' }];
  if (indices !== null) outputs.push({ buffer: indices, access: 'write' });
  const code = expandTemplate('max_pool', maxSource, {
    include: { window, nan },
    when: { ...windowOptions(shape, false), INDICES: indices !== null },
  });
  const operands: Operand[] = [{ buffer: x, access: 'read' }, ...outputs];
  return poolDispatch(geometry, 'maxPool2d', code, operands, shape, shape.output, tapsOf(shape) * y.length);
}

/** Gradient of maxPool to x. */
export function maxPoolGradient(
  { geometry }: KernelContext,
  dy: BufferRef,
  indices: BufferRef,
  dx: BufferRef,
  shape: PoolShape,
): Dispatch {
  const code = expandTemplate('max_pool_backward', maxBackwardSource, windowTemplate(shape, false));
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: indices, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  return poolDispatch(geometry, 'maxPool2d backward', code, operands, shape, shape.input, dy.length);
}

/** The mean of each window; `countPadding` divides by its size with padding. Dilation must be 1. */
export function avgPool(
  { geometry }: KernelContext,
  x: BufferRef,
  y: BufferRef,
  shape: PoolShape,
  countPadding: boolean,
): Dispatch {
  const code = expandTemplate('avg_pool', avgSource, windowTemplate(shape, countPadding));
  const operands: Operand[] = [
    { buffer: x, access: 'read' },
    { buffer: y, access: 'write' },
  ];
  return poolDispatch(geometry, 'avgPool2d', code, operands, shape, shape.output, tapsOf(shape) * y.length);
}

/** Gradient of avgPool to x. */
export function avgPoolGradient(
  { geometry }: KernelContext,
  dy: BufferRef,
  dx: BufferRef,
  shape: PoolShape,
  countPadding: boolean,
): Dispatch {
  const code = expandTemplate('avg_pool_backward', avgBackwardSource, windowTemplate(shape, countPadding));
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  const flops = tapsOf(shape) * dy.length;
  return poolDispatch(geometry, 'avgPool2d backward', code, operands, shape, shape.input, flops);
}

const windowOptions = (shape: PoolShape, countPadding: boolean): Record<string, boolean> => ({
  ADAPTIVE: shape.window === null,
  COUNT_PADDING: countPadding,
});

const windowTemplate = (shape: PoolShape, countPadding: boolean): TemplateValues => ({
  include: { window },
  when: windowOptions(shape, countPadding),
});

/** Elements of a window. */
function tapsOf({ input, output, window }: PoolShape): number {
  const [height, width] = window?.kernel ?? [input[0] / output[0], input[1] / output[1]];
  return Math.ceil(height) * Math.ceil(width);
}

const NO_WINDOW: PoolWindow = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };

/** A thread for each run of neighbours in a row of what is written. */
function poolDispatch(
  geometry: Geometry,
  label: string,
  code: string,
  operands: readonly Operand[],
  shape: PoolShape,
  [height, width]: Size2d,
  flops: number,
): Dispatch {
  const { planes, input, output } = shape;
  const { kernel, stride, padding, dilation } = shape.window ?? NO_WINDOW;
  const run = geometry.kind === 'gpu' ? 1 : 64;
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
      stride_y: i32(stride[0]),
      stride_x: i32(stride[1]),
      padding_y: i32(padding[0]),
      padding_x: i32(padding[1]),
      dilation_y: i32(dilation[0]),
      dilation_x: i32(dilation[1]),
    },
    operands,
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops,
    bytes: operands.reduce((sum, { buffer }) => sum + buffer.length, 0) * BYTES_PER_ELEMENT,
  };
}
