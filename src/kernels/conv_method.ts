import type { KernelContext, ConvMethod, Tunable } from './context.ts';
import { methodOf, winogradFits } from './conv_choice.ts';
import type { ConvDirection } from './conv_choice.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import { keyOf } from './gemm.ts';
import type { GemmProblem } from './gemm.ts';
import { sumLength } from './gemm_choice.ts';
import { settle } from './tunable.ts';

/**
 * The method of a convolution or its data gradient: what was measured on the adapter, else the usual one. `direct`: the problem by the
 * direct method, which names the work. The geometry of a direct product is settled afterwards, by itself.
 */
export function settleMethod(
  context: KernelContext,
  extent: Conv2dExtent,
  direction: ConvDirection,
  direct: () => GemmProblem,
  make: Tunable['make'],
): ConvMethod {
  const { geometry, tuned, onTunable } = context;
  const method = methodOf(geometry, extent, direction);
  if ((tuned === undefined && onTunable === undefined) || !winogradFits(geometry, extent)) return method;
  const methods: readonly ConvMethod[] = geometry.workgroupTiles
    ? ['direct', 'winograd']
    : ['direct', 'winograd', 'winogradFused'];
  const problem = direct();
  return settle(context, {
    key: () => `method of ${keyOf(problem, false)}`,
    usual: { method },
    sumLength: sumLength(problem),
    kernels: () => [method, ...methods.filter((other) => other !== method)].map((one) => ({ method: one })),
    near: () => [],
    admit: ({ method: recorded, ...others }) => {
      const found = methods.find((one) => one === recorded);
      return found === undefined || Object.keys(others).length > 0 ? null : { method: found };
    },
    make,
  }).method;
}
