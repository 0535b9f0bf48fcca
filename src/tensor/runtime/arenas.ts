import type { Gpu } from '../../gpu/gpu.ts';
import { STORAGE_USAGE } from '../../gpu/storage.ts';
import type { Plan } from '../plan/plan.ts';

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
  reserve({ arenaBytes }: Plan): void {
    arenaBytes.forEach((bins, color) => {
      const mine = (this.#bins[color] ??= []);
      bins.forEach((bytes, bin) => {
        const known = mine[bin];
        if (known !== undefined && known.size >= bytes) return;
        if (known !== undefined) this.#gpu.destroyBuffer(known);
        const buffer = this.#gpu.createBuffer(`arena ${color}.${bin}`, bytes, STORAGE_USAGE);
        if (this.#gpu.poison) this.#gpu.fillNaN({ buffer, offset: 0, bytes });
        mine[bin] = buffer;
        this.generation++;
      });
    });
  }

  /** The buffer of an arena that `reserve` has made. */
  buffer(color: number, bin: number): GPUBuffer {
    const buffer = this.#bins[color]?.[bin];
    if (buffer === undefined) throw new Error(`arena ${color}.${bin} was not reserved`);
    return buffer;
  }
}
