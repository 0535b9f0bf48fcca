import type { BufferRef, Dispatch } from '../gpu/dispatch.ts';
import type { KernelContext } from './context.ts';
import type { ActivationLoad, MapView, PlainLoad } from './maps.ts';
import { avgPool, maxPool, type PoolShape } from './pool.ts';

/** A pooling of maps: the planes are y's. */
type MapPoolShape = Omit<PoolShape, 'planes'>;

/** avgPool of a map that is made in the load, into a map that may be a slice. Zeros of the padding do not count. */
export function avgPoolFused(
  context: KernelContext,
  x: PlainLoad | ActivationLoad,
  y: MapView,
  shape: MapPoolShape,
): Dispatch {
  return avgPool(context, x.map.buffer, y.buffer, { ...shape, planes: planesOf(y) }, false, { x, y });
}

/** maxPool of a map that is made in the load, into a map that may be a slice; `indices` are dense. */
export function maxPoolFused(
  context: KernelContext,
  x: PlainLoad | ActivationLoad,
  y: MapView,
  indices: BufferRef | null,
  shape: MapPoolShape,
): Dispatch {
  return maxPool(context, x.map.buffer, y.buffer, indices, { ...shape, planes: planesOf(y) }, { x, y });
}

const planesOf = ({ images, channels }: MapView): number => images * channels;
