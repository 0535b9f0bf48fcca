import statsSource from '../../shaders/batch_norm_stats.wgsl';
import reluLibrary from '../../shaders/lib_relu.wgsl';
import gradientSource from '../../shaders/norm_gradient.wgsl';
import { DTYPE_BYTES, u32, type Dispatch, type ParamValue } from '../gpu/dispatch.ts';
import { spread, type KernelContext } from './context.ts';
import { accessOf, elementsOf, mapBytes, NORM_ROWS } from './maps.ts';
import type { ChannelTable, MapView, MomentPartials, PlainLoad, SumPartials } from './maps.ts';
import {
  elementsAlong,
  expandParts,
  isVector,
  partParams,
  planParts,
  shapeOf,
  type NormShape,
} from './norm.ts';
import type { Size2d } from './pool.ts';
import { dropoutPart, type Dropout } from './random.ts';

/** Statistics of a map's channels, part by part: for maps that no fused convolution makes. */
export function mapMoments(
  context: KernelContext,
  x: MapView,
): { dispatches: [Dispatch]; partials: MomentPartials } {
  const { geometry } = context;
  const shape = shapeOf(x);
  const cut = planParts(geometry, shape);
  const rows = cut.parts * x.channels;
  const partials = { buffer: context.temporary(3 * rows), parts: cut.parts, channels: x.channels };
  const dispatch: Dispatch = {
    label: `moments [${x.images}, ${x.channels}, ${x.pixels}]`,
    code: expandParts(geometry, 'batch_norm_stats', statsSource, shape, cut, { COUNTS: true }),
    params: {
      ...partParams(shape, cut),
      ...placeParams('', x, shape),
      element_size: u32(isVector(shape) ? 4 : 1),
    },
    operands: [
      { buffer: x.buffer, access: 'read' },
      { buffer: partials.buffer, access: 'write' },
    ],
    workgroups: spread(geometry, cut.team ? rows : Math.ceil(rows / cut.lanes)),
    flops: 4 * elementsOf(x),
    bytes: mapBytes(x) + 3 * rows * DTYPE_BYTES.f32,
  };
  return { dispatches: [dispatch], partials };
}

/** The gradient of an average pooling's input, whose windows lie side by side without padding. */
export interface AveragePooledLoad {
  readonly kind: 'averagePooled';
  /** The gradient of what was pooled: [images, channels, output]. */
  readonly map: MapView;
  /** Kernel and stride. */
  readonly kernel: Size2d;
  readonly input: Size2d;
  readonly output: Size2d;
}

interface NormGradient {
  readonly dy: PlainLoad | AveragePooledLoad;
  /** The norm's input. */
  readonly x: MapView;
  readonly norm: ChannelTable;
  readonly relu: boolean;
  readonly gradient: MapView;
  readonly mode: 'store' | 'accumulate';
  /** A dropout behind the ReLU, whose result dy is the gradient of; dy is dense then. */
  readonly dropout?: Dropout | null;
}

/** Takes a norm's output gradient through its ReLU and weight, as the store of convDataFused does, for gradients from other ops. */
export function normBackwardFused(
  context: KernelContext,
  { dy, x, norm, relu, gradient, mode, dropout = null }: NormGradient,
): { dispatches: [Dispatch]; partials: SumPartials } {
  const drop = dropoutPart(dropout);
  const { geometry } = context;
  const pooled = dy.kind === 'averagePooled';
  // An element of a pooled map belongs to several of x: no vectors.
  const shape = shapeOf(x, !pooled);
  const cut = planParts(geometry, shape);
  const rows = cut.parts * x.channels;
  const partials = { buffer: context.temporary(2 * rows), parts: cut.parts, channels: x.channels };
  const accumulate = mode === 'accumulate';
  const moved = mapBytes(dy.map) + mapBytes(x) + (accumulate ? 2 : 1) * mapBytes(gradient);
  const dispatch: Dispatch = {
    label: `norm gradient [${x.images}, ${x.channels}, ${x.pixels}]${pooled ? ', average unpooled' : ''}`,
    code: expandParts(
      geometry,
      'norm_gradient',
      gradientSource,
      shape,
      cut,
      { POOLED: pooled, RELU: relu, ACCUMULATE: accumulate, ...drop.when },
      pooled ? { KERNEL_Y_: `${dy.kernel[0]}u`, KERNEL_X_: `${dy.kernel[1]}u` } : {},
      { ...drop.include, relu: reluLibrary },
    ),
    params: {
      ...partParams(shape, cut),
      ...placeParams('dy_', dy.map, shape),
      dy_length: u32(pooled ? dy.map.pixels : elementsAlong(shape)),
      ...placeParams('x_', x, shape),
      ...placeParams('gradient_', gradient, shape),
      table_channels: u32(norm.bufferChannels),
      table_first: u32(norm.offset),
      ...(pooled && {
        image_width: u32(dy.input[1]),
        pooled_height: u32(dy.output[0]),
        pooled_width: u32(dy.output[1]),
      }),
      ...drop.params,
    },
    usesScalars: drop.usesScalars,
    operands: [
      { buffer: dy.map.buffer, access: 'read' },
      { buffer: x.buffer, access: 'read' },
      { buffer: norm.buffer, access: 'read' },
      { buffer: gradient.buffer, access: accumulate ? 'readwrite' : accessOf(gradient) },
      { buffer: partials.buffer, access: 'write' },
    ],
    workgroups: spread(geometry, cut.team ? rows : Math.ceil(rows / cut.lanes)),
    flops: 9 * elementsOf(x),
    bytes: moved + (2 * rows + NORM_ROWS.length * x.channels) * DTYPE_BYTES.f32,
  };
  return { dispatches: [dispatch], partials };
}

/** Where a map lies, in the shape's elements. */
export function placeParams(name: string, map: MapView, shape: NormShape): Record<string, ParamValue> {
  const size = isVector(shape) ? 4 : 1;
  return {
    [`${name}image`]: u32((map.bufferChannels * map.pixels) / size),
    [`${name}first`]: u32((map.offset * map.pixels) / size),
  };
}
