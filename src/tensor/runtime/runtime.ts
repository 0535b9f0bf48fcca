import { DTYPE_BYTES, type BufferRef } from '../../gpu/dispatch.ts';
import { BufferUsage } from '../../gpu/flags.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { Heap } from '../../gpu/heap.ts';
import { Program, type BoundProgram } from '../../gpu/program.ts';
import { alignUp, numberer, type Storage } from '../../gpu/storage.ts';
import type { TypedArray } from '../graph/dtype.ts';
import { Scalars } from '../graph/scalars.ts';
import { LogicalStorage } from '../graph/storage.ts';
import type { Plan } from '../plan/plan.ts';
import type { Target } from '../../gpu/profile.ts';
import { Arenas } from './arenas.ts';
import { Memory } from './memory.ts';
import { TaskUploads } from './task_uploads.ts';
import { WorkQueue } from './work_queue.ts';

/** Runs plans on a device: finds memory for their storages, binds and submits, all in the order in which it was asked for. */
export class Runtime {
  readonly gpu: Gpu;
  readonly queue = new WorkQueue();
  readonly memory: Memory;
  readonly #arenas: Arenas;
  readonly #scalars: Storage;
  readonly #uploads: TaskUploads;
  #between: GPUBuffer | null = null;

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.memory = new Memory(gpu);
    this.#arenas = new Arenas(gpu);
    this.#uploads = new TaskUploads(gpu);
    this.#scalars = new Heap(gpu, 'scalars', Scalars.bytes).allocate(Scalars.bytes, 'per-step scalars');
  }

  /** What plans for this device must keep to. */
  get target(): Target {
    return this.gpu.target;
  }

  /** Runs a plan once. */
  async runOnce(plan: Plan, scalars: Float32Array<ArrayBuffer>): Promise<void> {
    if (plan.dispatches.length === 0) {
      this.reserve(plan);
      return;
    }
    const program = await Program.compile(this.gpu, plan.dispatches);
    const bound = new BoundPlan(this, plan, program).bind();
    this.uploadScalars(scalars);
    bound.run();
    program.destroy();
  }

  /** Makes memory for all that the plan needs, except for what lies elsewhere. */
  reserve(plan: Plan, elsewhere: Elsewhere = NOWHERE): void {
    for (const storage of plan.made.keys()) if (!elsewhere.has(storage)) this.memory.allocate(storage);
    this.#arenas.reserve(plan);
  }

  get arenaGeneration(): number {
    return this.#arenas.generation;
  }

  placeIn(plan: Plan, ref: BufferRef, elsewhere: Elsewhere = NOWHERE): Storage {
    const slot = plan.slots.get(ref);
    if (slot === undefined) {
      if (ref instanceof LogicalStorage) return this.memory.placeOf(elsewhere.get(ref) ?? ref);
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

  /** Writes `data` (a multiple of 4 bytes) to the place when the encoder's commands are run. */
  encodeUpload(encoder: GPUCommandEncoder, data: TypedArray, to: Storage): void {
    const { buffer, offset } = this.#uploads.put(data);
    encoder.copyBufferToBuffer(buffer, offset, to.buffer, to.offset, data.byteLength);
  }

  copy(encoder: GPUCommandEncoder, from: LogicalStorage, to: LogicalStorage): void {
    const [a, b] = [this.memory.placeOf(from), this.memory.placeOf(to)];
    const bytes = Math.min(alignUp(from.length * DTYPE_BYTES[from.dtype]), a.bytes);
    if (a.buffer === b.buffer) {
      // WebGPU does not copy within one buffer.
      const between = this.#copyBuffer(bytes);
      encoder.copyBufferToBuffer(a.buffer, a.offset, between, 0, bytes);
      encoder.copyBufferToBuffer(between, 0, b.buffer, b.offset, bytes);
    } else encoder.copyBufferToBuffer(a.buffer, a.offset, b.buffer, b.offset, bytes);
    this.gpu.counters.addCopy(bytes);
  }

  #copyBuffer(bytes: number): GPUBuffer {
    if (this.#between === null || this.#between.size < bytes) {
      const old = this.#between;
      // Copies that are encoded and not yet submitted may use it.
      if (old !== null) this.gpu.encodedInTask(() => this.gpu.destroyBuffer(old));
      this.#between = this.gpu.createBuffer('copies', bytes, BufferUsage.COPY_SRC | BufferUsage.COPY_DST);
    }
    return this.#between;
  }
}

/** Storages of a plan that lie, in this run, where other storages do. A plan is always bound with the same keys. */
type Elsewhere = ReadonlyMap<LogicalStorage, LogicalStorage>;
const NOWHERE: Elsewhere = new Map();

/** Bindings that a plan keeps for different places of its inputs and results. */
const BINDINGS_KEPT = 32;

/** A program for a plan, bound to where the plan's storages lie. */
export class BoundPlan {
  readonly #runtime: Runtime;
  readonly #plan: Plan;
  readonly #program: Program;
  /** Places that the bindings were made for. */
  readonly #places = new Map<LogicalStorage, Storage>();
  readonly #bindings = new Map<string, BoundProgram>();
  readonly #numberOf = numberer();
  /** How many bindings were made so far. */
  bindings = 0;
  #generation = -1;

  constructor(runtime: Runtime, plan: Plan, program: Program) {
    this.#runtime = runtime;
    this.#plan = plan;
    this.#program = program;
  }

  /** Makes the bind groups, unless they are made for these places and nothing has moved since. */
  bind(elsewhere: Elsewhere = NOWHERE): BoundProgram {
    const { gpu, scalars, memory } = this.#runtime;
    this.#runtime.reserve(this.#plan, elsewhere);
    if (this.#notePlaces(elsewhere) || this.#bindings.size >= BINDINGS_KEPT) {
      this.#bindings.clear();
      this.#program.forget();
    }
    const places = [...elsewhere.values()].map((storage) => memory.placeOf(storage));
    const key = places.map(({ buffer, offset }) => `${this.#numberOf(buffer)}+${offset}`).join();
    const known = this.#bindings.get(key);
    if (known !== undefined) return known;
    const [earlier] = this.#bindings.values();
    const place = (ref: BufferRef): Storage => this.#runtime.placeIn(this.#plan, ref, elsewhere);
    const bound = gpu.scoped(() =>
      this.#program.bind(place, scalars, earlier && { bound: earlier, moved: new Set(elsewhere.keys()) }),
    );
    this.#bindings.set(key, bound);
    this.bindings++;
    return bound;
  }

  /** Whether anything has moved since the last call, apart from what lies elsewhere. */
  #notePlaces(elsewhere: Elsewhere): boolean {
    const { memory, arenaGeneration } = this.#runtime;
    let moved = this.#generation !== arenaGeneration;
    this.#generation = arenaGeneration;
    for (const storages of [this.#plan.captured.keys(), this.#plan.made.keys()]) {
      for (const storage of storages) {
        if (elsewhere.has(storage)) continue;
        const place = memory.placeOf(storage);
        if (this.#places.get(storage) === place) continue;
        this.#places.set(storage, place);
        moved = true;
      }
    }
    return moved;
  }
}
