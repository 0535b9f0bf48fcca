import type { TunedChoice } from '../../kernels/context.ts';

/** A choice in words. */
export const formatChoice = ({ method, tile, chunk, flat, splits }: TunedChoice): string =>
  method ?? `${tile ?? ''}${flat === true ? ' flat' : ''}, chunk ${chunk}, splits ${splits}`;
