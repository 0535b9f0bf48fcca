import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';
import type { Storage } from '../../gpu/storage.ts';
import { LogicalStorage } from '../graph/storage.ts';
import type { Plan } from '../plan/plan.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Scratch } from './scratch.ts';

/**
 * Where operands lie: in the plan's own memory, as far as they have a place there and no dispatch would bind one GPUBuffer in two roles;
 * else in memory beside it.
 */
export function placesInPlan(
  runtime: Runtime,
  plan: Plan,
  dispatches: readonly Dispatch[],
  scratch: Scratch,
): (ref: BufferRef) => Storage {
  const own = (ref: BufferRef): Storage | null => {
    const known = plan.slots.has(ref) || (ref instanceof LogicalStorage && runtime.memory.has(ref));
    return known ? runtime.placeIn(plan, ref) : null;
  };
  const places = new Map<BufferRef, Storage>();
  for (const { operands } of dispatches) {
    const written = new Set<GPUBuffer>();
    for (const { buffer, access } of operands) {
      if (access === 'read') continue;
      const place = places.get(buffer) ?? own(buffer) ?? scratch.place(buffer);
      places.set(buffer, place);
      written.add(place.buffer);
    }
    for (const { buffer, access } of operands) {
      if (access !== 'read') continue;
      const place = places.get(buffer) ?? own(buffer);
      const fits = place !== null && !written.has(place.buffer);
      places.set(buffer, fits ? place : scratch.place(buffer));
    }
  }
  return (ref) => places.get(ref) ?? scratch.place(ref);
}
