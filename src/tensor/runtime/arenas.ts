import type { BufferRef } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { STORAGE_USAGE, type Storage } from '../../gpu/storage.ts';
import type { Plan } from '../plan/plan.ts';
import { Value } from '../graph/value.ts';

/** Memory for what lives only within a run. All plans of a device share it, since they run one after another. */
export class Arenas {
  /** Changes when memory moved, so that bind groups made before are stale. */
  generation = 0;
  readonly #gpu: Gpu;
  readonly #bins: GPUBuffer[][] = [];

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Makes every arena at least as large as the plan needs. */
  reserve(plan: Plan): void {
    plan.arenaBytes.forEach((bins, colour) => {
      const mine = (this.#bins[colour] ??= []);
      bins.forEach((bytes, bin) => {
        const known = mine[bin];
        if (known !== undefined && known.size >= bytes) return;
        if (known !== undefined) this.#gpu.destroyBuffer(known);
        const buffer = this.#gpu.createBuffer(`arena ${colour}.${bin}`, bytes, STORAGE_USAGE);
        if (this.#gpu.poison) this.#gpu.fillNaN({ buffer, offset: 0, bytes });
        mine[bin] = buffer;
        this.generation++;
      });
    });
  }

  /** Where a buffer of a plan lies, now that the arenas are reserved. */
  place(plan: Plan, ref: BufferRef): Storage {
    if (ref instanceof Value && ref.place !== null) return ref.place.storage;
    const slot = plan.slots.get(ref);
    const buffer = slot && this.#bins[slot.colour]?.[slot.bin];
    if (slot === undefined || buffer === undefined)
      throw new Error('a dispatch binds a buffer that the plan did not place');
    return { buffer, offset: slot.offset, bytes: slot.bytes };
  }
}
