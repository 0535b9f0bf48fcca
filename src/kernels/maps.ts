import { DTYPE_BYTES, type BufferRef } from '../gpu/dispatch.ts';

/** Channels [offset, offset + channels) of feature maps [images, bufferChannels, pixels] in a buffer. */
export interface MapView {
  readonly buffer: BufferRef;
  readonly images: number;
  readonly channels: number;
  readonly pixels: number;
  /** Channels of the buffer; those of the view where it is the whole. */
  readonly bufferChannels: number;
  readonly offset: number;
}

/** Rows of per-channel numbers, [rows, bufferChannels]; channel c of the view is column offset + c. */
export interface ChannelTable {
  readonly buffer: BufferRef;
  readonly bufferChannels: number;
  readonly offset: number;
}

/**
 * A feature map as a kernel's load makes it, so that it never lies in memory:
 *
 *   plain       x
 *   activation  max(0, scale x + shift), or without the maximum: batch norm and ReLU. `norm` rows: see NORM_ROWS.
 *   gradient    p G + q x + s: what batch norm's backward makes of G = weight * dy (masked by the ReLU), with x the norm's
 *               input. `coefficients` rows: p, q, s.
 */
export type MapLoad = PlainLoad | ActivationLoad | GradientLoad;

export interface PlainLoad {
  readonly kind: 'plain';
  readonly map: MapView;
}

export interface ActivationLoad {
  readonly kind: 'activation';
  readonly map: MapView;
  readonly norm: ChannelTable;
  readonly relu: boolean;
}

export interface GradientLoad {
  readonly kind: 'gradient';
  readonly gradient: MapView;
  readonly input: MapView;
  readonly coefficients: ChannelTable;
}

/** Rows of a norm's table: y = scale x + shift, xhat = (x - mean) invstd, scale = weight invstd. */
export const NORM_ROWS = ['scale', 'shift', 'mean', 'invstd', 'weight'] as const;
/** Rows of a gradient's coefficients. */
export const GRADIENT_ROWS = ['p', 'q', 's'] as const;

/** Partial statistics of channels, [3, parts, channels]: mean, sum of squares around it, number of elements. */
export interface MomentPartials {
  readonly buffer: BufferRef;
  readonly parts: number;
  readonly channels: number;
}

/** Partial sums of channels, [2, parts, channels]: sum of dy xhat, sum of dy (dy masked by the ReLU). */
export interface SumPartials {
  readonly buffer: BufferRef;
  readonly parts: number;
  readonly channels: number;
}

/** A dense feature map as a view. */
export const wholeMap = (buffer: BufferRef, images: number, channels: number, pixels: number): MapView => ({
  buffer,
  images,
  channels,
  pixels,
  bufferChannels: channels,
  offset: 0,
});

const isWhole = ({ channels, bufferChannels }: MapView): boolean => channels === bufferChannels;

export const elementsOf = ({ images, channels, pixels }: MapView): number => images * channels * pixels;

/** Bytes of the view's part of its buffer. */
export const mapBytes = (map: MapView): number => elementsOf(map) * DTYPE_BYTES[map.buffer.dtype];

/** How a kernel that writes the view uses its buffer: a slice leaves the rest as it is. */
export const accessOf = (map: MapView): 'write' | 'readwrite' => (isWhole(map) ? 'write' : 'readwrite');
