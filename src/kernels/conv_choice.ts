import type { AdapterProfile } from '../gpu/profile.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import type { GemmChoice } from './gemm_choice.ts';

/** How a convolution or its data gradient is computed. The fields of a GEMM hold for the product of either method. */
export interface ConvChoice extends GemmChoice {
  /**
   * direct: one implicit GEMM. winograd: F(2x2, 3x3) by a batched GEMM; winogradFused: the same in one kernel, for software adapters.
   * Both are for kernels that `winogradFits` only, may make NaN of an infinity, and spread a NaN over the outputs of a tile: see
   * winograd.ts. Default direct.
   */
  readonly method: 'direct' | 'winograd' | 'winogradFused';
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

/** The method of a choice. Throws a RangeError if Winograd is chosen for a kernel that it does not fit. */
export function methodOf(
  geometry: AdapterProfile,
  extent: Conv2dExtent,
  { method = 'direct' }: Partial<ConvChoice> = {},
): ConvChoice['method'] {
  if (method === 'direct' || winogradFits(geometry, extent)) return method;
  const { kernel, stride, dilation, groups } = extent;
  throw new RangeError(
    `Winograd needs a 3x3 kernel of stride 1, dilation 1 and one group, not ${kernel.y}x${kernel.x} of stride ` +
      `${stride.y}x${stride.x}, dilation ${dilation.y}x${dilation.x} and ${groups}: choose the method direct`,
  );
}
