import applySource from '../../shaders/batch_norm_apply.wgsl';
import finishSource from '../../shaders/batch_norm_finish.wgsl';
import runningSource from '../../shaders/batch_norm_running.wgsl';
import statsSource from '../../shaders/batch_norm_stats.wgsl';
import partsLibrary from '../../shaders/lib_parts.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, DTYPE_BYTES, f32, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread, type KernelContext } from './context.ts';
import type { MapView } from './maps.ts';
import { rowPart } from './row.ts';
import { expandTemplate } from './template.ts';

/** x as batch normalisation sees it: [batch, channels, length]. */
export interface NormShape {
  readonly batch: number;
  readonly channels: number;
  readonly length: number;
  /** False where a kernel cannot take four positions at a time. */
  readonly vectors?: boolean;
}

export interface RunningStatistics {
  readonly mean: BufferRef;
  readonly variance: BufferRef;
  readonly momentum: number;
}

interface Affine {
  readonly weight: BufferRef | null;
  readonly bias: BufferRef | null;
}

/** How channels are cut into parts, each reduced by a workgroup or a thread. Positions count in elements. */
interface Parts {
  readonly team: boolean;
  readonly lanes: number;
  /** Lanes that lie along positions; the others lie along images. A power of two. */
  readonly width: number;
  /** Images per part. */
  readonly planes: number;
  /** Positions per part. */
  readonly piece: number;
  /** Parts that share an image. */
  readonly pieces: number;
  /** Parts of a channel. */
  readonly parts: number;
}

export const isVector = ({ length, vectors = true }: NormShape): boolean => vectors && length % 4 === 0;

/** Bounds on the elements of a part: a lane's sums stay short, and a part read twice stays in cache. */
const PART = {
  team: { least: 2048, most: 8192 },
  /** A thread by itself, where many run and where few do. */
  shortThread: { least: 16, most: 4096 },
  longThread: { least: 256, most: 16384 },
};
/** Parts that keep the adapter busy if a workgroup reduces each. */
const TEAMS_TO_FILL = 2048;

export function planParts(geometry: AdapterProfile, shape: NormShape): Parts {
  const { batch, channels, length } = shape;
  const team = geometry.teamReductions && length >= 16;
  const rows = team ? TEAMS_TO_FILL : geometry.threadsToFill;
  const { least, most } = team ? PART.team : geometry.teamReductions ? PART.shortThread : PART.longThread;
  const size = isVector(shape) ? 4 : 1;
  const target = Math.min(most, Math.max(least, Math.ceil((batch * channels * length) / rows)));
  const planes = Math.max(1, Math.min(batch, Math.floor(target / length)));
  const positions = length / size;
  const piece = Math.ceil(positions / Math.ceil(length / target));
  const pieces = Math.ceil(positions / piece);
  const lanes = team && planes * piece >= 256 ? 256 : 64;
  const width = team ? Math.min(lanes, 2 ** Math.ceil(Math.log2(piece))) : 1;
  return { team, lanes, width, planes, piece, pieces, parts: Math.ceil(batch / planes) * pieces };
}

/** stats = [mean, 1 / sqrt(variance + eps)] of each channel; moves the running statistics if they are given. */
export function batchNormStats(
  context: KernelContext,
  x: BufferRef,
  stats: BufferRef,
  shape: NormShape,
  eps: number,
  running: RunningStatistics | null,
): Dispatch[] {
  const { geometry } = context;
  const { batch, channels, length } = shape;
  const cut = planParts(geometry, shape);
  const rows = cut.parts * channels;
  const partial = context.temporary(2 * rows);
  const finish = planFinish(geometry, channels, cut.parts);
  const joined = rowPart(geometry, finish);
  const tracked = running === null ? [] : [running.mean, running.variance];
  return [
    {
      label: `batchNorm statistics [${batch}, ${channels}, ${length}]`,
      code: expandParts(geometry, 'batch_norm_stats', statsSource, shape, cut, { COUNTS: false }),
      params: {
        ...partParams(shape, cut),
        element_size: u32(isVector(shape) ? 4 : 1),
        image: u32(channels * elementsAlong(shape)),
        first: u32(0),
      },
      operands: [
        { buffer: x, access: 'read' },
        { buffer: partial, access: 'write' },
      ],
      workgroups: spread(geometry, cut.team ? rows : Math.ceil(rows / cut.lanes)),
      flops: 4 * x.length,
      bytes: bytesOf(x) + 2 * rows * DTYPE_BYTES.f32,
    },
    {
      label: `batchNorm statistics joined [${cut.parts}, ${channels}]`,
      code: expandTemplate('batch_norm_finish', finishSource, {
        include: joined.include,
        when: { ...joined.when, TRACK: running !== null },
        substitute: joined.substitute,
      }),
      params: {
        rows: u32(channels),
        batch: u32(batch),
        length: u32(elementsAlong(shape)),
        parts: u32(cut.parts),
        planes: u32(cut.planes),
        piece: u32(cut.piece),
        pieces: u32(cut.pieces),
        element_size: u32(isVector(shape) ? 4 : 1),
        eps: f32(eps),
        momentum: f32(running?.momentum ?? 0),
      },
      operands: [
        { buffer: partial, access: 'read' },
        { buffer: stats, access: 'write' },
        ...tracked.map((buffer) => ({ buffer, access: 'readwrite' }) as const),
      ],
      workgroups: finish.workgroups,
      flops: 8 * rows,
      bytes: (2 * rows + 6 * channels) * DTYPE_BYTES.f32,
    },
  ];
}

/** stats from the running statistics: evaluation mode. */
export function batchNormRunningStats(
  { geometry }: KernelContext,
  mean: BufferRef,
  variance: BufferRef,
  stats: BufferRef,
  eps: number,
): Dispatch {
  const channels = mean.length;
  return {
    label: `batchNorm running statistics [${channels}]`,
    code: expandTemplate('batch_norm_running', runningSource),
    params: { channels: u32(channels), eps: f32(eps) },
    operands: [
      { buffer: mean, access: 'read' },
      { buffer: variance, access: 'read' },
      { buffer: stats, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(channels / 64)),
    flops: 3 * channels,
    bytes: 4 * channels * DTYPE_BYTES.f32,
  };
}

/** y = (x - mean) * invstd * weight + bias. */
export function batchNormApply(
  { geometry }: KernelContext,
  x: BufferRef,
  stats: BufferRef,
  { weight, bias }: Affine,
  y: BufferRef,
  shape: NormShape,
): Dispatch {
  const runs = planRuns(geometry, shape);
  return {
    label: `batchNorm apply [${shape.batch}, ${shape.channels}, ${shape.length}]`,
    code: expandTemplate('batch_norm_apply', applySource, {
      include: { threads: threadsLibrary },
      when: { WEIGHT: weight !== null, BIAS: bias !== null },
      substitute: { ELEMENT_: elementType(shape) },
    }),
    params: runs.params,
    operands: [
      { buffer: x, access: 'read' },
      { buffer: stats, access: 'read' },
      { buffer: weight ?? stats, access: 'read' },
      { buffer: bias ?? stats, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    workgroups: runs.workgroups,
    flops: 3 * x.length,
    bytes: bytesOf(x) + bytesOf(y),
  };
}

// Shared with norm_backward.ts, norm_fused.ts and map_ops.ts

export const shapeOf = ({ images, channels, pixels }: MapView, vectors = true): NormShape => ({
  batch: images,
  channels,
  length: pixels,
  vectors,
});

export const elementType = (shape: NormShape): string => (isVector(shape) ? 'vec4f' : 'f32');

export const elementsAlong = (shape: NormShape): number =>
  isVector(shape) ? shape.length / 4 : shape.length;

/** Expands a shader that gives each part of each channel a row. */
export function expandParts(
  geometry: AdapterProfile,
  name: string,
  source: string,
  shape: NormShape,
  cut: Parts,
  when: Readonly<Record<string, boolean>> = {},
  substitute: Readonly<Record<string, string>> = {},
  include: Readonly<Record<string, string>> = {},
): string {
  const rows = rowPart(geometry, cut);
  return expandTemplate(name, source, {
    include: { ...include, ...rows.include, parts: partsLibrary },
    when: { ...when, ...rows.when, VECTOR: isVector(shape) },
    substitute: { ...substitute, ...rows.substitute, ELEMENT_: elementType(shape) },
  });
}

export function partParams(shape: NormShape, cut: Parts): NonNullable<Dispatch['params']> {
  return {
    rows: u32(cut.parts * shape.channels),
    channels: u32(shape.channels),
    batch: u32(shape.batch),
    length: u32(elementsAlong(shape)),
    planes: u32(cut.planes),
    piece: u32(cut.piece),
    pieces: u32(cut.pieces),
    width: u32(cut.width),
  };
}

/** Few parts are one thread's work; more are shared by 64 lanes. */
export function planFinish(
  geometry: AdapterProfile,
  channels: number,
  parts: number,
): { team: boolean; lanes: number; workgroups: readonly [number, number, number] } {
  const team = geometry.teamReductions && parts > 8;
  return { team, lanes: 64, workgroups: spread(geometry, team ? channels : Math.ceil(channels / 64)) };
}

/** Threads of the elementwise kernels: each takes neighbours of one plane. */
export function planRuns(
  geometry: AdapterProfile,
  shape: NormShape,
): { params: NonNullable<Dispatch['params']>; workgroups: readonly [number, number, number] } {
  const length = elementsAlong(shape);
  const run = geometry.neighboursPerThread;
  const runs = Math.ceil(length / run);
  const threads = shape.batch * shape.channels * runs;
  return {
    params: {
      threads: u32(threads),
      runs: u32(runs),
      run: u32(run),
      channels: u32(shape.channels),
      length: u32(length),
    },
    workgroups: spread(geometry, Math.ceil(threads / 64)),
  };
}
