import source from '../../shaders/norm_running_table.wgsl';
import { DTYPE_BYTES, f32, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { spread, type KernelContext } from './context.ts';
import { NORM_ROWS } from './maps.ts';
import { expandTemplate } from './template.ts';

interface RunningNorm {
  readonly mean: BufferRef;
  readonly variance: BufferRef;
  readonly weight: BufferRef | null;
  readonly bias: BufferRef | null;
  readonly eps: number;
  /** NORM_ROWS, [5, channels]: written. */
  readonly norm: BufferRef;
}

/** The table of a batch norm in evaluation. */
export function runningNormTable(
  { geometry }: KernelContext,
  { mean, variance, weight, bias, eps, norm }: RunningNorm,
): Dispatch {
  const channels = mean.length;
  return {
    label: `batchNorm table [${channels}]`,
    code: expandTemplate('norm_running_table', source, {
      when: { WEIGHT: weight !== null, BIAS: bias !== null },
    }),
    params: { channels: u32(channels), eps: f32(eps) },
    operands: [
      { buffer: mean, access: 'read' },
      { buffer: variance, access: 'read' },
      { buffer: weight ?? mean, access: 'read' },
      { buffer: bias ?? mean, access: 'read' },
      { buffer: norm, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(channels / 64)),
    flops: 5 * channels,
    bytes: (4 + NORM_ROWS.length) * channels * DTYPE_BYTES.f32,
  };
}
