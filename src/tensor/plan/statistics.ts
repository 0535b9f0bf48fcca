import { bytesOf, type BufferRef } from '../../gpu/dispatch.ts';
import { countPipelines } from '../../gpu/pipelines.ts';
import { budgetsOf } from '../../gpu/profile.ts';
import { alignUp } from '../../gpu/storage.ts';
import { LogicalStorage } from '../graph/storage.ts';
import { lifetimes } from './liveness.ts';
import type { Plan } from './plan.ts';

/** Sizes of what a plan does, for reports. */
export interface PlanStatistics {
  readonly dispatches: number;
  /** Kernels to compile: dispatches that differ in parameters alone may share one. */
  readonly pipelines: number;
  readonly flops: number;
  /** Seconds that the longest dispatch would take on an adapter of 1 TFLOP/s and 50 GB/s, a slow one. */
  readonly longest: number;
  /** Bytes that the dispatches read and write. */
  readonly bytesMoved: number;
  /** What the same buffers would move at least: each read once, if at all, and written once, if at all. */
  readonly bytesAtLeast: number;
  /** Memory of transient buffers, as they are packed. */
  readonly arenaBytes: number;
  /** What is alive at once at the worst moment: no packing needs less. */
  readonly peakLiveBytes: number;
  /** Memory of what outlives the step: parameters, gradients, optimiser state, inputs, results. */
  readonly persistentBytes: number;
}

const SLOW = { flops: 1e12, bytes: 50e9 };

/** `baked` says whether the device compiles parameters into kernels. */
export function statisticsOf(plan: Plan, baked: boolean): PlanStatistics {
  const { dispatches, arenaBytes } = plan;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    dispatches: dispatches.length,
    pipelines: countPipelines(dispatches, baked),
    flops: sum(dispatches.map(({ flops }) => flops)),
    longest: Math.max(0, ...dispatches.map((dispatch) => budgetsOf(dispatch, SLOW))),
    bytesMoved: sum(dispatches.map(({ bytes }) => bytes)),
    bytesAtLeast: bytesAtLeast(plan),
    arenaBytes: sum(arenaBytes.flat()),
    peakLiveBytes: peakLiveBytes(plan),
    persistentBytes: sum([...rootsOf(plan)].map(bytesOf)),
  };
}

/** Storages that outlive the plan, those that are parts of others by their wholes. */
function rootsOf({ captured, made }: Plan): Set<LogicalStorage> {
  return new Set([...captured.keys(), ...made.keys()].map((storage) => storage.part?.whole ?? storage));
}

const persistsIn =
  ({ captured, made }: Plan) =>
  (buffer: BufferRef): boolean =>
    buffer instanceof LogicalStorage && (captured.has(buffer) || made.has(buffer));

function bytesAtLeast(plan: Plan): number {
  const persists = persistsIn(plan);
  const read = new Set<BufferRef>();
  const written = new Set<BufferRef>();
  for (const { operands } of plan.dispatches) {
    for (const { buffer, access } of operands) {
      // `readwrite` of a transient is the writing of another part, or a change that is not counted.
      if (access === 'read' || (access === 'readwrite' && persists(buffer))) read.add(buffer);
      if (access !== 'read') written.add(buffer);
    }
  }
  return [...read, ...written].reduce((total, buffer) => total + bytesOf(buffer), 0);
}

function peakLiveBytes(plan: Plan): number {
  const changes = new Array<number>(plan.dispatches.length + 1).fill(0);
  for (const { buffer, first, last } of lifetimes(plan.dispatches, persistsIn(plan))) {
    const bytes = alignUp(bytesOf(buffer));
    changes[first] = (changes[first] ?? 0) + bytes;
    changes[last + 1] = (changes[last + 1] ?? 0) - bytes;
  }
  let live = 0;
  return changes.reduce((peak, change) => Math.max(peak, (live += change)), 0);
}
