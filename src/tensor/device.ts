import type { DType } from '../gpu/dispatch.ts';
import type { Counts } from '../gpu/counters.ts';
import { describeAdapter, Gpu, type Description, type GpuOptions } from '../gpu/gpu.ts';
import { Heap } from '../gpu/heap.ts';
import { Program } from '../gpu/program.ts';
import { Arenas } from './runtime/arenas.ts';
import type { GradNode } from './graph/autograd.ts';
import { compileFunction, type CompiledFunction, type StepResult } from './compile.ts';
import { dtypeOfArray, viewOf } from './graph/dtype.ts';
import { asError } from './graph/errors.ts';
import type { Op, OutputSpec } from './graph/op.ts';
import { KeptHeaps } from './plan/kept_heaps.ts';
import { planNodes, type Plan } from './plan/plan.ts';
import { randomSeed } from './graph/random.ts';
import { Recording, type RecordedNode, type RunHook } from './graph/recording.ts';
import { Scalars, type ScalarSlot } from './runtime/scalars.ts';
import { Scope } from './graph/scope.ts';
import { checkShape, elementCount, formatShape, type Shape } from './graph/shape.ts';
import { Tensor, type TypedArray } from './graph/tensor.ts';
import { Value } from './graph/value.ts';
import { WorkQueue } from './runtime/work_queue.ts';

export interface TensorOptions {
  readonly requiresGrad?: boolean;
  /** By default that of the array: f32 for Float32Array and number[], i32 for Int32Array, u32 for Uint32Array. */
  readonly dtype?: DType;
}

export interface DeviceOptions extends GpuOptions {
  /** `gpu` refuses software adapters, `software` wants one; `auto` takes the best there is. */
  readonly adapter?: 'auto' | 'gpu' | 'software';
  /** The caller's own device, which `destroy` leaves alive. */
  readonly gpuDevice?: GPUDevice;
  /** False plans each op by itself, which is what fused plans are checked against. Default true, but on SwiftShader. */
  readonly fusion?: boolean;
}

/** Makes tensors, records what is done with them, and runs it. */
export class Device {
  readonly gpu: Gpu;
  readonly fusion: boolean;
  readonly queue = new WorkQueue();
  readonly arenas: Arenas;
  readonly keptHeaps: KeptHeaps;
  readonly scalars: Scalars;
  /** Counts the runs; with the seed and the element it decides every random number. Saved and restored on resume. */
  randomStep = 0;
  #recording = new Recording();
  #tracing = false;
  readonly #scopes: Scope[] = [];
  readonly #uploads: Heap;
  #seedVersion = randomSeed.version;

  constructor(gpu: Gpu, { fusion = fusionPays(gpu.description) }: Pick<DeviceOptions, 'fusion'> = {}) {
    this.gpu = gpu;
    this.fusion = fusion;
    this.arenas = new Arenas(gpu);
    this.keptHeaps = new KeptHeaps(gpu);
    this.#uploads = new Heap(gpu, 'tensors');
    this.scalars = new Scalars(new Heap(gpu, 'scalars', 4096));
  }

  /**
   * Opens a device through the page's (or Deno's) `navigator.gpu`; the Node entry finds one without. Throws an Error
   * where there is no WebGPU, or no adapter of the kind asked for.
   */
  static async create(options: DeviceOptions = {}): Promise<Device> {
    if (options.gpuDevice !== undefined)
      return new Device(Gpu.fromDevice(options.gpuDevice, options), options);
    const choice = options.adapter ?? 'auto';
    // Typed as always there, but absent in older browsers and in pages without https.
    const gpu = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
    if (gpu === undefined) throw new Error('this page has no WebGPU: use https and a browser that has it');
    const adapter = await gpu.requestAdapter(
      choice === 'software' ? { forceFallbackAdapter: true } : { powerPreference: 'high-performance' },
    );
    if (adapter === null) throw new Error(`the browser has no WebGPU adapter of kind '${choice}'`);
    const { name, kind } = describeAdapter(adapter.info);
    if (choice === 'gpu' && kind !== 'gpu')
      throw new Error(`adapter 'gpu' refuses ${name}, which is software`);
    return new Device(await Gpu.fromAdapter(adapter, options), options);
  }

  /** Which adapter this is, and whether it is a real GPU. */
  get description(): Description {
    return this.gpu.description;
  }

  /** What has been created, submitted and held so far. */
  get counters(): Counts {
    return this.gpu.counters.snapshot();
  }

  /**
   * A tensor with a copy of `data`, row-major. Throws a RangeError if the number of elements is not the shape's, or
   * the device cannot bind so many bytes.
   */
  tensor(data: TypedArray | readonly number[] | number, shape?: Shape, options: TensorOptions = {}): Tensor {
    const array = toTypedArray(data, options.dtype);
    const size = shape ?? (typeof data === 'number' ? [] : [array.length]);
    checkShape(size, 'tensor');
    if (elementCount(size) !== array.length) {
      throw new RangeError(
        `tensor: shape ${formatShape(size)} has ${elementCount(size)} elements, the data ${array.length}`,
      );
    }
    const dtype = dtypeOfArray(array);
    if (options.requiresGrad === true && dtype !== 'f32')
      throw new TypeError(`tensor: only f32 can require a gradient, got ${dtype}: cast it first`);
    const tensor = this.empty(size, dtype);
    const { place } = tensor.value;
    if (place !== null) this.gpu.upload(place.storage, array as TypedArray & ArrayBufferView<ArrayBuffer>);
    tensor.requiresGrad = options.requiresGrad ?? false;
    return this.adopt(tensor);
  }

  /** A tensor in memory whose elements are not set; no scope owns it. */
  empty(shape: Shape, dtype: DType = 'f32'): Tensor {
    const value = new Value(dtype, elementCount(shape), `tensor ${formatShape(shape)}`);
    value.place = { storage: this.#uploads.allocate(value.bytes, value.label), heap: this.#uploads };
    return new Tensor(this, value, shape);
  }

  /**
   * Makes a step function out of one that records: it is traced once for each set of input shapes, then replayed
   * with no planning, no allocation and a single submit. See `CompiledFunction`.
   */
  compile<Result extends StepResult>(fn: (...inputs: Tensor[]) => Result): CompiledFunction<Result> {
    return compileFunction(this, fn);
  }

  /** Runs `fn` and disposes every tensor made in it, except those in its result. `fn` must not be async. */
  scope<T>(fn: () => T): T {
    const scope = new Scope();
    this.#scopes.push(scope);
    let result: T | undefined;
    try {
      result = fn();
      if (result instanceof Promise) throw new TypeError('scope needs a function that is not async');
      return result;
    } finally {
      this.#scopes.pop();
      const kept = scope.close(result);
      const outer = this.#scopes.at(-1);
      for (const tensor of kept.tensors) outer?.tensors.add(tensor);
      outer?.gradNodes.push(...kept.gradNodes);
    }
  }

  /** Runs what was recorded and waits until the device has done it. */
  async sync(): Promise<void> {
    await this.flush();
    await this.queue.run(() => this.gpu.idle());
  }

  /** Submits what was recorded; resolves when it is submitted. Rejects if it cannot be planned or compiled. */
  flush(): Promise<void> {
    if (this.#tracing)
      throw new Error('a compiled function cannot read or flush while it is traced: return the tensor');
    const recording = this.#recording;
    if (recording.isEmpty) return this.queue.run(() => undefined);
    this.#recording = new Recording();
    const scalars = this.prepareRun(recording.hooks);
    let plan: Plan;
    try {
      plan = planNodes(this.gpu, recording.nodes, this.keptHeaps, this);
    } catch (error) {
      this.#abandon(recording, error);
      return Promise.reject(asError(error));
    }
    return this.queue
      .run(async () => {
        const program = await Program.compile(this.gpu, plan.dispatches);
        this.arenas.reserve(plan);
        program.bind((ref) => this.arenas.place(plan, ref), this.scalars.storage);
        this.scalars.upload(this.gpu, scalars);
        program.run();
        program.destroy();
        this.finishUses(recording.nodes);
      })
      .catch((error: unknown) => {
        this.#abandon(recording, error);
        throw error;
      });
  }

  /** Reads a tensor's elements. */
  async read(tensor: Tensor): Promise<TypedArray> {
    const { value } = tensor;
    value.handles++;
    try {
      await this.flush();
      let bytes: Promise<ArrayBuffer> | undefined;
      await this.queue.run(() => {
        if (value.failure !== null) throw value.failure;
        if (value.place === null)
          throw new Error(`${value.label} was recorded on a device that was destroyed`);
        bytes = this.gpu.read(value.place.storage, value.bytes);
      });
      const buffer = await (bytes ?? Promise.reject(new Error('nothing was read')));
      return viewOf(buffer, value.dtype);
    } finally {
      this.release(value);
    }
  }

  /** Releases all memory, and the GPUDevice if it was made by us. */
  async destroy(): Promise<void> {
    await this.queue.idle();
    this.gpu.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  // What follows is for the engine and for those who add ops and optimisers.

  record<Attrs>(
    op: Op<Attrs>,
    inputs: readonly Tensor[],
    outputs: readonly OutputSpec[],
    attrs: Attrs,
  ): Tensor[] {
    const values = inputs.map(({ value }) => value);
    const results = outputs.map(({ shape, dtype = 'f32' }) => {
      checkShape(shape, op.name);
      return new Tensor(
        this,
        new Value(dtype, elementCount(shape), `${op.name} ${formatShape(shape)}`),
        shape,
      );
    });
    const node = { op: op as Op<never>, inputs: values, outputs: results.map(({ value }) => value), attrs };
    for (const value of values) value.uses++;
    for (const { value } of results) {
      value.uses++;
      this.#recording.pending.add(value);
    }
    this.#recording.nodes.push(node);
    this.#recording.shapes.set(node, {
      inputs: inputs.map(({ shape }) => shape),
      outputs: outputs.map(({ shape }) => shape),
    });
    return results.map((tensor) => this.adopt(tensor));
  }

  /** True while the elements of the value are recorded but not computed. */
  isPending(value: Value): boolean {
    return this.#recording.pending.has(value);
  }

  /** Lets the innermost scope own the tensor. */
  adopt(tensor: Tensor): Tensor {
    this.#scopes.at(-1)?.tensors.add(tensor);
    return tensor;
  }

  trackGradNode(node: GradNode): void {
    this.#scopes.at(-1)?.gradNodes.push(node);
  }

  /** To be called before a leaf's gradient is read, added to or cleared by anything recorded. */
  noteGradient(leaf: Tensor, use: 'needed' | 'cleared' = 'needed'): void {
    const { gradientsAtEntry } = this.#recording;
    if (!gradientsAtEntry.has(leaf))
      gradientsAtEntry.set(leaf, use === 'cleared' ? 'any' : (leaf.grad?.value ?? null));
  }

  /** A number for a random op, unique within the recording and the same each time it is made. */
  nextRandomIndex(): number {
    return this.#recording.randomOps++;
  }

  scalar(): ScalarSlot {
    return this.scalars.allocate();
  }

  /** Calls `hook` before each run of what is being recorded, to set scalars. */
  beforeRun(hook: RunHook): void {
    this.#recording.hooks.push(hook);
  }

  /** Numbers the recording for those who keep something for each, as optimisers do their scalars. */
  get recording(): Recording {
    return this.#recording;
  }

  get isTracing(): boolean {
    return this.#tracing;
  }

  /** Calls `fn` with an empty recording, which is given back with fn's result instead of run. */
  trace<T>(fn: () => T): { result: T; recording: Recording } {
    if (this.#tracing) throw new Error('a compiled function cannot call another compiled function');
    const outer = this.#recording;
    if (!outer.isEmpty) throw new Error('trace needs an empty recording: flush first');
    const recording = new Recording();
    this.#recording = recording;
    this.#tracing = true;
    try {
      return { result: fn(), recording };
    } catch (error) {
      this.#abandon(recording, error);
      throw error;
    } finally {
      this.#recording = outer;
      this.#tracing = false;
    }
  }

  /** Counts a run and sets its scalars; gives them as they must be when the run's turn comes. */
  prepareRun(hooks: readonly RunHook[]): Float32Array<ArrayBuffer> {
    if (this.#seedVersion !== randomSeed.version) {
      this.#seedVersion = randomSeed.version;
      this.randomStep = 0;
    }
    this.scalars.setRandom(randomSeed.value, this.randomStep++);
    for (const hook of hooks) hook();
    return this.scalars.snapshot();
  }

  /** Drops one handle on a value. */
  release(value: Value): void {
    value.handles--;
    this.#freeIfUnused(value);
  }

  /** Marks recorded uses as done. */
  finishUses(nodes: readonly RecordedNode[]): void {
    for (const { inputs, outputs } of nodes) {
      for (const value of [...inputs, ...outputs]) {
        value.uses--;
        this.#freeIfUnused(value);
      }
    }
  }

  #freeIfUnused(value: Value): void {
    if (value.handles > 0 || value.uses > 0 || value.place === null) return;
    const { heap, storage } = value.place;
    value.place = null;
    if (heap !== null) void this.queue.run(() => heap.free(storage));
  }

  #abandon(recording: Recording, error: unknown): void {
    const failure = asError(error);
    for (const { outputs } of recording.nodes) for (const value of outputs) value.failure ??= failure;
    this.finishUses(recording.nodes);
  }
}

/**
 * SwiftShader compiles fused kernels twice as long and runs them slower than single ones: a step of the small preset takes
 * 1.05 s instead of 0.85 s there, on lavapipe 0.14 s instead of 0.18 s.
 */
const fusionPays = ({ name, architecture }: Description): boolean =>
  !/swiftshader/i.test(`${name} ${architecture}`);

function toTypedArray(data: TypedArray | readonly number[] | number, dtype: DType | undefined): TypedArray {
  if (ArrayBuffer.isView(data) && (dtype === undefined || dtypeOfArray(data) === dtype)) return data;
  const numbers = typeof data === 'number' ? [data] : data;
  switch (dtype ?? 'f32') {
    case 'f32':
      return Float32Array.from(numbers);
    case 'i32':
      return Int32Array.from(numbers);
    case 'u32':
      return Uint32Array.from(numbers);
  }
}
