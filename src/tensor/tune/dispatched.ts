import type { Dispatch } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { storeHalves } from '../../kernels/half.ts';
import { splitDispatch } from '../../kernels/split.ts';

/** Dispatches of a kernel as a plan has them. */
export const asDispatched = ({ geometry }: Gpu, dispatches: readonly Dispatch[]): Dispatch[] =>
  dispatches.flatMap((dispatch) => splitDispatch(storeHalves(dispatch), geometry.budget));
