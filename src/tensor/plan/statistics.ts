import { bytesOf, type BufferRef } from '../../gpu/dispatch.ts';
import type { Pipelines } from '../../gpu/pipelines.ts';
import { alignUp } from '../../gpu/storage.ts';
import { Value } from '../graph/value.ts';
import { lifetimes } from './liveness.ts';
import type { Plan } from './plan.ts';

/** Sizes of what a plan does, for reports. */
export interface PlanStatistics {
  readonly dispatches: number;
  /** Kernels to compile: dispatches that differ in parameters alone may share one. */
  readonly pipelines: number;
  readonly flops: number;
  /** Bytes that the dispatches read and write. */
  readonly bytesMoved: number;
  /** What the same buffers would move at least: each read once, if at all, and written once, if at all. */
  readonly bytesAtLeast: number;
  /** Memory of transient buffers, as they are packed. */
  readonly arenaBytes: number;
  /** What is alive at once at the worst moment: no packing needs less. */
  readonly peakLiveBytes: number;
}

export function statisticsOf({ dispatches, arenaBytes }: Plan, pipelines: Pipelines): PlanStatistics {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    dispatches: dispatches.length,
    pipelines: pipelines.count(dispatches),
    flops: sum(dispatches.map(({ flops }) => flops)),
    bytesMoved: sum(dispatches.map(({ bytes }) => bytes)),
    bytesAtLeast: bytesAtLeast({ dispatches }),
    arenaBytes: sum(arenaBytes.flat()),
    peakLiveBytes: peakLiveBytes({ dispatches }),
  };
}

function bytesAtLeast({ dispatches }: Pick<Plan, 'dispatches'>): number {
  const read = new Set<BufferRef>();
  const written = new Set<BufferRef>();
  for (const { operands } of dispatches) {
    for (const { buffer, access } of operands) {
      // `readwrite` of what the plan itself made is the writing of another part, or a change that is not counted.
      if (access === 'read' || (access === 'readwrite' && isFromBefore(buffer))) read.add(buffer);
      if (access !== 'read') written.add(buffer);
    }
  }
  return [...read, ...written].reduce((total, buffer) => total + bytesOf(buffer), 0);
}

function peakLiveBytes({ dispatches }: Pick<Plan, 'dispatches'>): number {
  const changes = new Array<number>(dispatches.length + 1).fill(0);
  for (const { buffer, first, last } of lifetimes(dispatches, isFromBefore)) {
    const bytes = alignUp(bytesOf(buffer));
    changes[first] = (changes[first] ?? 0) + bytes;
    changes[last + 1] = (changes[last + 1] ?? 0) - bytes;
  }
  let live = 0;
  return changes.reduce((peak, change) => Math.max(peak, (live += change)), 0);
}

const isFromBefore = (buffer: BufferRef): boolean => buffer instanceof Value && buffer.place !== null;
