import momentsSource from '../../shaders/norm_join_moments.wgsl';
import sumsSource from '../../shaders/norm_join_sums.wgsl';
import {
  DTYPE_BYTES,
  f32,
  u32,
  uniform,
  type BufferRef,
  type Dispatch,
  type Operand,
} from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { bindAll } from './bindings.ts';
import { spread, type KernelContext } from './context.ts';
import { GRADIENT_ROWS, NORM_ROWS } from './maps.ts';
import type { ChannelTable, MomentPartials, SumPartials } from './maps.ts';
import type { RunningStatistics } from './norm.ts';
import { rowPart } from './row.ts';
import { expandTemplate } from './template.ts';

interface MomentsJoin {
  /** Null where the moments of all channels are known. */
  readonly partials: MomentPartials | null;
  /** Channels of this norm to which the partials belong. */
  readonly fresh: { readonly first: number; readonly count: number };
  /** Rows mean and variance (biased), to be filled in for fresh channels. */
  readonly moments: ChannelTable;
  readonly channels: number;
  /** Elements of a channel. */
  readonly count: number;
  readonly running: RunningStatistics | null;
  readonly weight: BufferRef | null;
  readonly bias: BufferRef | null;
  readonly eps: number;
  /** Written: NORM_ROWS of this norm's channels. */
  readonly norm: ChannelTable;
}

/** A norm's table from moments, those of fresh channels joined before; moves the norm's running statistics. */
export function joinMoments(
  { geometry }: KernelContext,
  { partials, fresh, moments, channels, count, running, weight, bias, eps, norm }: MomentsJoin,
): Dispatch {
  if (partials !== null && partials.channels !== fresh.count) {
    throw new RangeError(`partial moments of ${partials.channels} channels for ${fresh.count} fresh ones`);
  }
  const plan = planJoin(geometry, channels, partials?.parts ?? 0);
  const rows = rowPart(geometry, plan);
  const { operands, substitute } = bindAll(
    [
      { buffer: moments.buffer, access: 'readwrite' },
      { buffer: norm.buffer, access: tableAccess(norm, channels) },
    ],
    {
      PARTIALS: optional(partials?.buffer, 'read'),
      MEAN: optional(running?.mean, 'readwrite'),
      VARIANCE: optional(running?.variance, 'readwrite'),
      WEIGHT: optional(weight, 'read'),
      BIAS: optional(bias, 'read'),
    },
  );
  const partialLength = partials?.buffer.length ?? 0;
  const perChannel = (running === null ? 0 : 4) + (weight === null ? 0 : 1) + (bias === null ? 0 : 1);
  return {
    label: `norm table [${channels}], ${fresh.count} joined of ${partials?.parts ?? 0} parts`,
    code: expandTemplate('norm_join_moments', momentsSource, {
      include: rows.include,
      when: {
        ...rows.when,
        PARTIALS: partials !== null,
        TRACK: running !== null,
        WEIGHT: weight !== null,
        BIAS: bias !== null,
      },
      substitute: { ...substitute, ...rows.substitute },
    }),
    params: uniform({
      rows: u32(channels),
      fresh_first: u32(fresh.first),
      parts: u32(partials?.parts ?? 0),
      partial_channels: u32(partials?.channels ?? 0),
      moments_channels: u32(moments.bufferChannels),
      moments_first: u32(moments.offset),
      table_channels: u32(norm.bufferChannels),
      table_first: u32(norm.offset),
      count: f32(count),
      eps: f32(eps),
      momentum: f32(running?.momentum ?? 0),
    }),
    operands,
    workgroups: plan.workgroups,
    flops: 3 * partialLength + 12 * channels,
    bytes: (partialLength + (2 + NORM_ROWS.length + perChannel) * channels) * DTYPE_BYTES.f32,
  };
}

interface SumsJoin {
  readonly partials: SumPartials;
  readonly channels: number;
  /** Elements of a channel. */
  readonly count: number;
  readonly norm: ChannelTable;
  /** Written where wanted, [channels]. */
  readonly dweight: BufferRef | null;
  readonly dbias: BufferRef | null;
  /** Rows: sum of weight dbias, sum of weight dweight over the norms that read a channel. */
  readonly sums: ChannelTable;
  /** Other norms of these channels came before. */
  readonly accumulate: boolean;
  /** Written: GRADIENT_ROWS of this norm's channels. */
  readonly coefficients: ChannelTable;
}

/** Gradients of a norm's weight and bias, and the coefficients that make its channels' gradient. */
export function joinSums(
  { geometry }: KernelContext,
  { partials, channels, count, norm, dweight, dbias, sums, accumulate, coefficients }: SumsJoin,
): Dispatch {
  const plan = planJoin(geometry, channels, partials.parts);
  const rows = rowPart(geometry, plan);
  const { operands, substitute } = bindAll(
    [
      { buffer: partials.buffer, access: 'read' },
      { buffer: norm.buffer, access: 'read' },
      { buffer: sums.buffer, access: 'readwrite' },
      { buffer: coefficients.buffer, access: tableAccess(coefficients, channels) },
    ],
    { DWEIGHT: optional(dweight, 'write'), DBIAS: optional(dbias, 'write') },
  );
  const perChannel = (accumulate ? 4 : 2) + (dweight === null ? 0 : 1) + (dbias === null ? 0 : 1);
  return {
    label: `norm sums joined [${partials.parts}, ${channels}]`,
    code: expandTemplate('norm_join_sums', sumsSource, {
      include: rows.include,
      when: {
        ...rows.when,
        DWEIGHT: dweight !== null,
        DBIAS: dbias !== null,
        ACCUMULATE: accumulate,
      },
      substitute: { ...substitute, ...rows.substitute },
    }),
    params: uniform({
      rows: u32(channels),
      parts: u32(partials.parts),
      table_channels: u32(norm.bufferChannels),
      table_first: u32(norm.offset),
      sums_channels: u32(sums.bufferChannels),
      sums_first: u32(sums.offset),
      coefficients_channels: u32(coefficients.bufferChannels),
      coefficients_first: u32(coefficients.offset),
      inverse_count: f32(1 / count),
    }),
    operands,
    workgroups: plan.workgroups,
    flops: partials.buffer.length + 14 * channels,
    bytes: (partials.buffer.length + (3 + GRADIENT_ROWS.length + perChannel) * channels) * DTYPE_BYTES.f32,
  };
}

const optional = (buffer: BufferRef | null | undefined, access: Operand['access']): Operand | null =>
  buffer === null || buffer === undefined ? null : { buffer, access };

const tableAccess = ({ bufferChannels }: ChannelTable, channels: number): 'write' | 'readwrite' =>
  bufferChannels === channels ? 'write' : 'readwrite';

/** Channels over threads; where hardware has many parts to join, a channel is shared by 64 lanes. */
function planJoin(
  geometry: AdapterProfile,
  channels: number,
  parts: number,
): { team: boolean; lanes: number; workgroups: readonly [number, number, number] } {
  const team = geometry.teamReductions && parts > 8;
  // Few channels should still occupy every core.
  const lanes = geometry.teamReductions ? 64 : 8;
  return { team, lanes, workgroups: spread(geometry, team ? channels : Math.ceil(channels / lanes)) };
}
