import type { ActivationLoad, ChannelTable, MapLoad, MapView } from '../../../kernels/maps.ts';
import type { AveragePooledLoad } from '../../../kernels/norm_fused.ts';
import type { PoolShape } from '../../../kernels/pool.ts';
import type { RecordedNode } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/**
 * How a value that is not in memory can be made:
 *
 *   map          channels of a wider buffer: a part of a concatenation
 *   activation   batch norm of a map, with or without ReLU: each reader computes it in its load
 *   gradient     gradient of a batch norm's input without the correction by the means: readers correct it in their loads
 *   beforePool   result of a 1x1 convolution that is only averaged: the average goes first, which costs less
 *   afterPool    gradient of an average's input that only the backward of such a convolution reads
 *   spread       gradient of an average's input: each element is a share of one element of the map
 */
export type Form =
  | { readonly kind: 'map'; readonly view: MapView }
  | Activation
  | Gradient
  | { readonly kind: 'beforePool'; readonly node: RecordedNode }
  | AfterPool
  | { readonly kind: 'spread'; readonly load: AveragePooledLoad; readonly pool: PoolShape };

interface Activation {
  readonly kind: 'activation';
  readonly norm: Norm;
  readonly relu: boolean;
}

/** A batch norm in training: its input and the table of what it does to each channel. */
export interface Norm {
  readonly input: MapView;
  readonly table: ChannelTable;
  readonly eps: number;
}

/** Channels of a gradient to which all norms of these channels add. */
export interface Gradient {
  readonly kind: 'gradient';
  /** Sum over the norms of weight * dy, dy masked by the ReLU. */
  readonly gradient: MapView;
  /** The norms' input. */
  readonly input: MapView;
  /** What all of these norms add to the variance. */
  readonly eps: number;
  /** Sums over the norms of weight * dbias and weight * dweight. */
  readonly sums: ChannelTable;
  readonly coefficients: ChannelTable;
}

interface AfterPool {
  readonly kind: 'afterPool';
  readonly node: RecordedNode;
  readonly dy: Value;
  readonly pool: PoolShape;
}

/** The load that computes a form; null if no load does. */
export function loadOf(form: Form): MapLoad | null {
  switch (form.kind) {
    case 'map':
      return { kind: 'plain', map: form.view };
    case 'activation':
      return activationLoad(form);
    case 'gradient':
      return form;
    case 'beforePool':
    case 'afterPool':
    case 'spread':
      return null;
  }
}

export const activationLoad = ({ norm, relu }: Activation): ActivationLoad => ({
  kind: 'activation',
  map: norm.input,
  norm: norm.table,
  relu,
});

/** Channels [first, first + count) of a view. */
export const channelsOf = (view: MapView, first: number, count: number): MapView => ({
  ...view,
  offset: view.offset + first,
  channels: count,
});

/** The same for a table. */
export const columnsOf = (table: ChannelTable, first: number): ChannelTable => ({
  ...table,
  offset: table.offset + first,
});

export const sameMap = (a: MapView, b: MapView): boolean =>
  a.buffer === b.buffer &&
  a.offset === b.offset &&
  a.images === b.images &&
  a.channels === b.channels &&
  a.bufferChannels === b.bufferChannels &&
  a.pixels === b.pixels;
