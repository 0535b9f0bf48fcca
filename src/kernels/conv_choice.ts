import type { AdapterProfile } from '../gpu/profile.ts';
import type { ConvMethod } from './context.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import type { GemmChoice } from './gemm_choice.ts';

/** How a convolution or its data gradient is computed. The fields of a GEMM hold for the product of either method. */
export interface ConvChoice extends GemmChoice {
  /**
   * direct: one implicit GEMM. winograd: F(2x2, 3x3) by a batched GEMM; winogradFused: the same in one kernel, for software adapters.
   * Both are for kernels that `winogradFits` only, may make NaN of an infinity, and spread a NaN over the outputs of a tile: see
   * winograd.ts.
   */
  readonly method: ConvMethod;
  /** Upper bound on the bytes of Winograd's transformed tiles; what needs more is computed in rounds. Default 16 MiB. */
  readonly workspace: number;
}

/** Which of a convolution's products: that of its output, or that of its input's gradient. */
export type ConvDirection = 'forward' | 'data';

const area = ({ y, x }: { readonly y: number; readonly x: number }): number => y * x;

/** True for kernels of 3x3, stride 1, dilation 1, one group, whose transformed weights fit into a binding. */
export function winogradFits({ maxBindingBytes }: AdapterProfile, extent: Conv2dExtent): boolean {
  const { kernel, stride, dilation, groups, inChannels, outChannels } = extent;
  const shaped = kernel.y === 3 && kernel.x === 3 && area(stride) === 1 && area(dilation) === 1;
  return shaped && groups === 1 && 64 * inChannels * outChannels <= maxBindingBytes;
}

/**
 * The least channels, and tiles of all images, for which Winograd is faster on software adapters at the shapes of FCNN and DenseNet161.
 * With fewer tiles the transformation of the weights takes longer than it saves, with fewer channels that of the maps.
 */
const LEAST_CHANNELS = 48;
const LEAST_TILES = 96;
/** Tiles that lie half outside the map waste products: most elements of tiles for one of the map. */
const MOST_WASTE = 1.25;
/** Least product of rows and inner channels, by their sum: products for each transformed element of a map. */
const LEAST_PRODUCTS = 64;

/**
 * The method of a choice, or the faster one: on lavapipe Winograd takes 0.6 to 0.8 of the direct kernel's time, on SwiftShader 0.45 to 0.8.
 * GPUs, where it was never timed, take the direct one. Throws a RangeError if Winograd is chosen for a kernel that it does not fit.
 */
export function methodOf(
  geometry: AdapterProfile,
  extent: Conv2dExtent,
  direction: ConvDirection,
  { method }: Partial<ConvChoice> = {},
): ConvMethod {
  const fits = winogradFits(geometry, extent);
  if (method === undefined) return fits ? fasterMethod(geometry, extent, direction) : 'direct';
  if (method === 'direct' || fits) return method;
  const { kernel, stride, dilation, groups } = extent;
  throw new RangeError(
    `Winograd needs a 3x3 kernel of stride 1, dilation 1 and one group, not ${kernel.y}x${kernel.x} of stride ` +
      `${stride.y}x${stride.x}, dilation ${dilation.y}x${dilation.x} and ${groups}: choose the method direct`,
  );
}

function fasterMethod(
  { workgroupTiles, fusionPays }: AdapterProfile,
  { images, inChannels, outChannels, input, output }: Conv2dExtent,
  direction: ConvDirection,
): ConvMethod {
  const map = direction === 'forward' ? output : input;
  const tiles = images * Math.ceil(map.y / 2) * Math.ceil(map.x / 2);
  const few = tiles < LEAST_TILES || Math.min(inChannels, outChannels) < LEAST_CHANNELS;
  if (workgroupTiles || few || 4 * tiles > MOST_WASTE * images * area(map)) return 'direct';
  // Where fusion pays, loads and stores cost more than products: DenseNet161's growths gain a tenth at most, and take more dispatches.
  const products = (inChannels * outChannels) / (inChannels + outChannels);
  return fusionPays && products < LEAST_PRODUCTS ? 'direct' : 'winograd';
}
