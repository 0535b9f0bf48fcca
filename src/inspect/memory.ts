import { bytesOf, type BufferRef } from '../gpu/dispatch.ts';
import type { RecordedNode } from '../tensor/graph/node.ts';
import { LogicalStorage } from '../tensor/graph/storage.ts';
import { lifetimes } from '../tensor/plan/liveness.ts';
import type { Plan } from '../tensor/plan/plan.ts';
import type { BufferRole, InspectedMemory, InspectedPlace } from './types.ts';

/** Says what the buffers of a plan are for. */
export function rolesOf(plan: Plan, nodes: readonly RecordedNode[]): (buffer: BufferRef) => BufferRole {
  const values = new Set<BufferRef>(nodes.flatMap(({ outputs }) => outputs.map(({ storage }) => storage)));
  return (buffer) => {
    if (!(buffer instanceof LogicalStorage) || plan.slots.has(buffer))
      return values.has(buffer) ? 'activation' : 'workspace';
    const { role } = buffer.part?.whole ?? buffer;
    return role === 'transient' || role === 'value' ? 'result' : role;
  };
}

export const nameOf = (buffer: BufferRef): string =>
  buffer instanceof LogicalStorage ? buffer.label : `workspace of ${buffer.length} elements`;

/** Where the memory of a call goes. */
export function memoryOf(plan: Plan, roleOf: (buffer: BufferRef) => BufferRole): InspectedMemory {
  const places = placesOf(plan, roleOf);
  const live = plan.dispatches.map((_, at) => {
    const alive = places.filter(({ first, last }) => first <= at && at <= last);
    const sum = (wanted: BufferRole): number =>
      alive.reduce((total, { role, bytes }) => total + (role === wanted ? bytes : 0), 0);
    return { activation: sum('activation'), workspace: sum('workspace') };
  });
  const total = (at: number): number => (live[at]?.activation ?? 0) + (live[at]?.workspace ?? 0);
  const dispatch = live.reduce((best, _, at) => (total(at) > total(best) ? at : best), 0);
  return {
    persistent: persistentOf(plan, roleOf),
    peak: { activation: 0, workspace: 0, ...live[dispatch], dispatch },
    live,
    arenas: Object.fromEntries(
      plan.arenaBytes.flatMap((bins, color) => bins.map((bytes, bin) => [`${color}.${bin}`, bytes])),
    ),
    places,
  };
}

function placesOf(plan: Plan, roleOf: (buffer: BufferRef) => BufferRole): InspectedPlace[] {
  return lifetimes(plan.dispatches, (buffer) => !plan.slots.has(buffer)).flatMap(
    ({ buffer, first, last }) => {
      const slot = plan.slots.get(buffer);
      if (slot === undefined) return [];
      const { color, bin, offset, bytes } = slot;
      const role = roleOf(buffer) === 'activation' ? 'activation' : 'workspace';
      return [{ buffer: nameOf(buffer), role, arena: `${color}.${bin}`, offset, bytes, first, last }];
    },
  );
}

/** Bytes by role; parts of a larger storage count with the whole. */
function persistentOf(
  { captured, made }: Plan,
  roleOf: (buffer: BufferRef) => BufferRole,
): Partial<Record<BufferRole, number>> {
  const sums: Partial<Record<BufferRole, number>> = {};
  const roots = new Set(
    [...captured.keys(), ...made.keys()].map((storage) => storage.part?.whole ?? storage),
  );
  for (const root of roots) {
    const role = roleOf(root);
    sums[role] = (sums[role] ?? 0) + bytesOf(root);
  }
  return sums;
}
