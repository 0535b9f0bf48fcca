import dataSource from '../../shaders/gemm_conv_data.wgsl';
import forwardSource from '../../shaders/gemm_conv_forward.wgsl';
import forwardMap from '../../shaders/gemm_conv_forward_map.wgsl';
import forwardTapsSource from '../../shaders/gemm_conv_forward_taps.wgsl';
import weightSource from '../../shaders/gemm_conv_weight.wgsl';
import type { BufferRef } from '../gpu/dispatch.ts';
import type { KernelContext } from './context.ts';
import type { GemmProblem } from './gemm.ts';
import { accessOf, elementsOf, wholeMap } from './maps.ts';
import type { ActivationLoad, MapView, PlainLoad } from './maps.ts';

/** Height (y) and width (x) of one of a convolution's settings. */
export interface Pair {
  readonly y: number;
  readonly x: number;
}

/** Sizes of a conv2d; the op has checked them. */
export interface Conv2dExtent {
  readonly images: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly groups: number;
  readonly input: Pair;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

/** A conv's whole input and output as maps. */
export const inputMap = ({ images, inChannels, input }: Conv2dExtent, buffer: BufferRef): MapView =>
  wholeMap(buffer, images, inChannels, area(input));
export const outputMap = ({ images, outChannels, output }: Conv2dExtent, buffer: BufferRef): MapView =>
  wholeMap(buffer, images, outChannels, area(output));

/** conv2d as a GEMM: x [images, inChannels, input] and y [images, outChannels, output] may be slices. */
export function forwardProblem(
  extent: Conv2dExtent,
  x: PlainLoad | ActivationLoad,
  weight: BufferRef,
  bias: BufferRef | null,
  y: MapView,
): GemmProblem {
  const conv = flattened(extent);
  const rows = conv.outChannels / conv.groups;
  const taps = area(conv.kernel);
  const { name, source, padding, ...axes } = alongTaps(conv, x) ? rowOfTaps(conv) : channelsOfTap(conv);
  return {
    label: label('forward', extent),
    loader: {
      name,
      source,
      include: { map: forwardMap },
      place: { ...viewParams('b', x.map), ...viewParams('c', y) },
      shape: {
        height: conv.input.y,
        width: conv.input.x,
        out_pixels: area(conv.output),
        out_width: conv.output.x,
        taps,
        ...windowParams(conv),
      },
    },
    groups: conv.groups,
    rows,
    columns: conv.images * area(conv.output),
    ...axes,
    a: weight,
    b: x.map.buffer,
    c: y.buffer,
    ...(bias === null ? {} : { bias: { buffer: bias, group: rows, row: 1, column: 0 } }),
    cRow: area(conv.output),
    aAlongRows: false,
    bAlongColumns: true,
    quads: inQuads(conv),
    padding: insideAlways(conv) ? 'never' : padding,
    elements: { a: weight.length, b: elementsOf(x.map), c: elementsOf(y) },
    cAccess: accessOf(y),
  };
}

/** How a forward conv's sum goes over its products. */
interface ForwardAxes extends Pick<GemmProblem, 'outer' | 'inner' | 'aInner' | 'bInner' | 'padding'> {
  readonly name: string;
  readonly source: string;
}

/** Taps outside, input channels inside. */
const channelsOfTap = ({ kernel, inChannels, groups, input }: Conv2dExtent): ForwardAxes => ({
  name: 'gemm_conv_forward',
  source: forwardSource,
  outer: [kernel.y, kernel.x],
  inner: inChannels / groups,
  aInner: area(kernel),
  bInner: area(input),
  padding: 'whole walks',
});

/** Input channels and rows of taps outside, a row's taps inside. */
const rowOfTaps = ({ kernel, inChannels, groups, dilation }: Conv2dExtent): ForwardAxes => ({
  name: 'gemm_conv_forward_taps',
  source: forwardTapsSource,
  outer: [inChannels / groups, kernel.y],
  inner: kernel.x,
  aInner: 1,
  bInner: dilation.x,
  padding: 'parts of walks',
});

/** Whether a row of taps fills the inner axis' steps of four better; an activation's factors want channels there. */
const alongTaps = (conv: Conv2dExtent, x: PlainLoad | ActivationLoad): boolean =>
  x.kind === 'plain' && stepsOf(rowOfTaps(conv)) < stepsOf(channelsOfTap(conv));

/** The gradient of conv2d's input as a GEMM. */
export function dataProblem(extent: Conv2dExtent, dy: MapView, weight: BufferRef, dx: MapView): GemmProblem {
  const conv = flattened(extent);
  const rows = conv.inChannels / conv.groups;
  const taps = area(conv.kernel);
  return {
    label: label('backward data', extent),
    loader: {
      name: 'gemm_conv_data',
      source: dataSource,
      place: { ...viewParams('b', dy), ...viewParams('c', dx) },
      shape: {
        pixels: area(conv.input),
        width: conv.input.x,
        out_height: conv.output.y,
        out_width: conv.output.x,
        taps,
        ...windowParams(conv),
      },
    },
    groups: conv.groups,
    rows,
    columns: conv.images * area(conv.input),
    outer: [conv.kernel.y, conv.kernel.x],
    inner: conv.outChannels / conv.groups,
    a: weight,
    b: dy.buffer,
    c: dx.buffer,
    aInner: rows * taps,
    bInner: area(conv.output),
    cRow: area(conv.input),
    aAlongRows: true,
    bAlongColumns: true,
    quads: inQuads(conv),
    padding:
      taps === 1 && insideAlways(conv) && area(conv.input) === area(conv.output) ? 'never' : 'whole walks',
    elements: { a: weight.length, b: elementsOf(dy), c: elementsOf(dx) },
    cAccess: accessOf(dx),
  };
}

/** The gradient of conv2d's weight as a GEMM. */
export function weightProblem(
  context: KernelContext,
  extent: Conv2dExtent,
  dy: MapView,
  x: MapView,
  dw: BufferRef,
): GemmProblem {
  const conv = flattened(extent);
  const taps = area(conv.kernel);
  const columns = (conv.inChannels / conv.groups) * taps;
  const along = longerSteps(context, conv);
  const across = along === 'x' ? 'y' : 'x';
  const alongB = along === 'x' ? 1 : conv.input.x;
  return {
    label: label('backward weight', extent),
    loader: {
      name: 'gemm_conv_weight',
      source: weightSource,
      place: { ...viewParams('a', dy), ...viewParams('b', x) },
      shape: {
        pixels: area(conv.input),
        out_pixels: area(conv.output),
        taps,
        kernel_width: conv.kernel.x,
        across_size: conv.input[across],
        along_size: conv.input[along],
        across_stride: conv.stride[across],
        along_stride: conv.stride[along],
        across_pad: conv.padding[across],
        along_pad: conv.padding[along],
        across_ky: across === 'y' ? conv.dilation.y : 0,
        across_kx: across === 'x' ? conv.dilation.x : 0,
        along_ky: along === 'y' ? conv.dilation.y : 0,
        along_kx: along === 'x' ? conv.dilation.x : 0,
        a_across: across === 'y' ? conv.output.x : 1,
        b_across: across === 'y' ? conv.input.x : 1,
        b_along: alongB,
      },
    },
    groups: conv.groups,
    rows: conv.outChannels / conv.groups,
    columns,
    outer: [conv.images, conv.output[across]],
    inner: conv.output[along],
    a: dy.buffer,
    b: x.buffer,
    c: dw,
    aInner: along === 'x' ? 1 : conv.output.x,
    bInner: conv.stride[along] * alongB,
    cRow: columns,
    aAlongRows: false,
    bAlongColumns: false,
    quads: false,
    padding: insideAlways(conv) ? 'never' : 'parts of walks',
    elements: { a: elementsOf(dy), b: elementsOf(x), c: dw.length },
  };
}

const area = ({ y, x }: Pair): number => y * x;

/** A 1x1 convolution that visits every pixel is the same on an image of one row, whose inner axis is long. */
function flattened(conv: Conv2dExtent): Conv2dExtent {
  const { kernel, stride, padding, input } = conv;
  if (area(kernel) !== 1 || area(stride) !== 1 || padding.y + padding.x > 0) return conv;
  const row = { y: 1, x: area(input) };
  return { ...conv, input: row, output: row };
}

/** Whether four pixels lie alike in input and output, and images have a multiple of four. */
const inQuads = ({ kernel, stride, padding, output }: Conv2dExtent): boolean =>
  area(kernel) === 1 && area(stride) === 1 && padding.y + padding.x === 0 && area(output) % 4 === 0;

/** Direction in which GEMMs in registers take fewer steps of four; tiles want neighbours in memory. */
function longerSteps({ geometry }: KernelContext, { output }: Conv2dExtent): 'x' | 'y' {
  const alongX = { outer: [output.y, 1], inner: output.x } as const;
  const alongY = { outer: [output.x, 1], inner: output.y } as const;
  return !geometry.workgroupTiles && stepsOf(alongY) < stepsOf(alongX) ? 'y' : 'x';
}

/** Steps of four inner indices that a sum takes, and one for each outer index. */
const stepsOf = ({ outer, inner }: Pick<GemmProblem, 'outer' | 'inner'>): number =>
  outer[0] * outer[1] * (Math.ceil(inner / 4) + 1);

/** True where no tap of any output pixel falls into the padding. */
const insideAlways = ({ padding }: Conv2dExtent): boolean => padding.y === 0 && padding.x === 0;

/** Elements from one image to the next, and before the first channel; `pixels` of a flattened conv are the same. */
const viewParams = (operand: 'a' | 'b' | 'c', map: MapView): Record<string, number> => ({
  [`${operand}_image`]: map.bufferChannels * map.pixels,
  [`${operand}_first`]: map.offset * map.pixels,
});

function windowParams({ stride, padding, dilation }: Conv2dExtent): Record<string, number> {
  return {
    stride_y: stride.y,
    stride_x: stride.x,
    pad_y: padding.y,
    pad_x: padding.x,
    dilation_y: dilation.y,
    dilation_x: dilation.x,
  };
}

function label(direction: string, { kernel, stride, groups }: Conv2dExtent): string {
  const grouped = groups > 1 ? ` g${groups}` : '';
  return `conv2d ${direction} ${kernel.y}x${kernel.x} s${stride.y}${grouped}`;
}
