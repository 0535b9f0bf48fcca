import { DTYPE_BYTES, type BufferRef } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Heap } from '../../gpu/heap.ts';
import { Program, type RunParts } from '../../gpu/program.ts';
import { alignUp, type Storage } from '../../gpu/storage.ts';
import type { TypedArray } from '../graph/dtype.ts';
import { Scalars } from '../graph/scalars.ts';
import { LogicalStorage } from '../graph/storage.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanTarget } from '../plan/target.ts';
import { Arenas } from './arenas.ts';
import { Memory } from './memory.ts';
import { WorkQueue } from './work_queue.ts';

/** Runs plans on a device: finds memory for their storages, binds and submits, all in the order in which it was asked for. */
export class Runtime {
  readonly gpu: Gpu;
  readonly queue = new WorkQueue();
  readonly memory: Memory;
  readonly #arenas: Arenas;
  readonly #scalars: Storage;

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.memory = new Memory(gpu);
    this.#arenas = new Arenas(gpu);
    this.#scalars = new Heap(gpu, 'scalars', Scalars.bytes).allocate(Scalars.bytes, 'per-step scalars');
  }

  /** What plans for this device must keep to. */
  get target(): PlanTarget {
    return { name: this.gpu.description.name, geometry: this.gpu.geometry };
  }

  /** Runs a plan once. */
  async runOnce(plan: Plan, scalars: Float32Array<ArrayBuffer>): Promise<void> {
    if (plan.dispatches.length === 0) {
      this.reserve(plan);
      return;
    }
    const program = await Program.compile(this.gpu, plan.dispatches);
    const bound = new BoundPlan(this, plan, program);
    bound.bind();
    this.uploadScalars(scalars);
    bound.run();
    program.destroy();
  }

  /** Makes memory for all that the plan needs. */
  reserve(plan: Plan): void {
    for (const storage of plan.made.keys()) this.memory.allocate(storage);
    this.#arenas.reserve(plan);
  }

  get arenaGeneration(): number {
    return this.#arenas.generation;
  }

  placeIn(plan: Plan, ref: BufferRef): Storage {
    const slot = plan.slots.get(ref);
    if (slot === undefined) {
      if (ref instanceof LogicalStorage) return this.memory.placeOf(ref);
      throw new Error('a dispatch binds a buffer that the plan did not place');
    }
    const { color, bin, offset, bytes } = slot;
    return { buffer: this.#arenas.buffer(color, bin), offset, bytes };
  }

  get scalars(): Storage {
    return this.#scalars;
  }

  uploadScalars(values: Float32Array<ArrayBuffer>): void {
    this.gpu.upload(this.#scalars, values);
  }

  upload(storage: LogicalStorage, data: TypedArray): void {
    this.gpu.upload(this.memory.allocate(storage), data as TypedArray & ArrayBufferView<ArrayBuffer>);
  }

  copy(encoder: GPUCommandEncoder, from: LogicalStorage, to: LogicalStorage): void {
    const [a, b] = [this.memory.placeOf(from), this.memory.placeOf(to)];
    encoder.copyBufferToBuffer(
      a.buffer,
      a.offset,
      b.buffer,
      b.offset,
      alignUp(from.length * DTYPE_BYTES[from.dtype]),
    );
  }
}

/** A program for a plan, bound to where the plan's storages lie. */
export class BoundPlan {
  readonly #runtime: Runtime;
  readonly #plan: Plan;
  readonly #program: Program;
  /** Places that the bind groups were made for. */
  readonly #places = new Map<LogicalStorage, Storage>();
  #generation = -1;

  constructor(runtime: Runtime, plan: Plan, program: Program) {
    this.#runtime = runtime;
    this.#plan = plan;
    this.#program = program;
  }

  /** Makes the bind groups, unless they are made and nothing has moved since. */
  bind(): void {
    const { memory } = this.#runtime;
    this.#runtime.reserve(this.#plan);
    let moved = this.#generation !== this.#runtime.arenaGeneration;
    for (const storages of [this.#plan.captured.keys(), this.#plan.made.keys()]) {
      for (const storage of storages) {
        const place = memory.placeOf(storage);
        if (this.#places.get(storage) === place) continue;
        this.#places.set(storage, place);
        moved = true;
      }
    }
    if (!moved) return;
    const { gpu, scalars } = this.#runtime;
    gpu.scoped(() => this.#program.bind((ref) => this.#runtime.placeIn(this.#plan, ref), scalars));
    this.#generation = this.#runtime.arenaGeneration;
  }

  /** Submits the program between copies that belong to it. */
  run(parts: RunParts = {}): void {
    this.#program.run(parts);
  }
}
