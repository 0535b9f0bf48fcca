import type { Counts } from '../gpu/counters.ts';
import { describeAdapter, Gpu, type Description, type GpuOptions } from '../gpu/gpu.ts';
import { BufferUsage } from '../gpu/flags.ts';
import type { Storage } from '../gpu/storage.ts';
import { compileFunction, type CompileOptions, type CompiledFunction } from './compile.ts';
import { checkForeign, ForeignBuffers, type FromBufferOptions } from './foreign.ts';
import { dtypeOfArray, viewOf, type HostDType, type TypedArray } from './graph/dtype.ts';
import { asError } from './graph/errors.ts';
import { hostArray, type NestedNumbers } from './graph/host_data.ts';
import { checkOptions, flag, fn, number, oneOf, type OptionKinds } from './graph/options.ts';
import { RecordingDevice, type Move } from './graph/recording_device.ts';
import { checkShape, elementCount, formatShape, type Shape } from './graph/shape.ts';
import type { LogicalStorage } from './graph/storage.ts';
import { Tensor } from './graph/tensor.ts';
import { Value } from './graph/value.ts';
import { isPlainObject } from './graph/wording.ts';
import { NEEDS_PIXELS } from './pixels/needed.ts';
import type { PixelOptions } from './pixels/options.ts';
import type { PixelSource } from './pixels/sources.ts';
import { acceptPlan, planNodes, type Plan } from './plan/plan.ts';
import { rangeOf } from './graph/range.ts';
import { MemoryPressure } from './runtime/pressure.ts';
import { Runtime } from './runtime/runtime.ts';
import type { StepResult } from './trace.ts';

export { DeviceLostError } from '../gpu/lost.ts';

export interface TensorOptions {
  readonly requiresGrad?: boolean;
  /** By default what the data says: f32 for numbers and floating arrays, i32 for integer arrays, u32 for Uint32Array. */
  readonly dtype?: HostDType;
}

const TENSOR_OPTIONS: OptionKinds<TensorOptions> = {
  requiresGrad: flag,
  dtype: { what: 'a dtype', accepts: () => true },
};

export interface DeviceOptions extends GpuOptions {
  /** `gpu` refuses software adapters, `software` wants one; `auto` takes the best there is. */
  readonly adapter?: 'auto' | 'gpu' | 'software';
  /** The caller's own device, which `destroy` leaves alive. */
  readonly gpuDevice?: GPUDevice;
  /** False plans each op by itself, which is what fused plans are checked against. Default true, but on SwiftShader. */
  readonly fusion?: boolean;
}

const DEVICE_OPTIONS: OptionKinds<DeviceOptions> = {
  adapter: oneOf('auto', 'gpu', 'software'),
  gpuDevice: { what: 'a GPUDevice', accepts: (value) => typeof value === 'object' && value !== null },
  fusion: flag,
  profile: oneOf('checked', 'fast'),
  debug: number('of 0 to 4', (level) => Number.isInteger(level) && level >= 0 && level <= 4),
  log: fn,
  poison: flag,
  bakeParams: flag,
  usage: { what: 'GPUBufferUsage flags', accepts: (flags) => Number.isInteger(flags) },
};

/** Throws a TypeError or RangeError for options that a device does not have. */
export const checkDeviceOptions = (options: DeviceOptions): DeviceOptions =>
  checkOptions('Device.create', options, DEVICE_OPTIONS);

/** Where a tensor's elements lie, row-major. */
export interface TensorBuffer {
  readonly buffer: GPUBuffer;
  /** In bytes, a multiple of 256 (in a buffer of the caller's: as given). */
  readonly offset: number;
  readonly size: number;
}

/** Makes tensors, records what is done with them, and runs it. */
export class Device extends RecordingDevice {
  /** @internal */
  readonly gpu: Gpu;
  readonly fusion: boolean;
  /** @internal */
  readonly runtime: Runtime;
  readonly #foreign = new ForeignBuffers();
  readonly #pressure = new MemoryPressure();

  /** @internal */
  constructor(gpu: Gpu, { fusion = gpu.geometry.fusionPays }: Pick<DeviceOptions, 'fusion'> = {}) {
    super();
    this.gpu = gpu;
    this.fusion = fusion;
    this.runtime = new Runtime(gpu);
  }

  /**
   * Opens a device through the page's (or Deno's) `navigator.gpu`; the Node entry finds one without. Throws an Error
   * where there is no WebGPU, or no adapter of the kind asked for.
   */
  static async create(options: DeviceOptions = {}): Promise<Device> {
    checkDeviceOptions(options);
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

  /**
   * What to ask an adapter's `requestDevice` for, to open a device of one's own that the engine runs well on: the features that it
   * can use and all that the adapter has of the limits it wants. Add what you need yourself.
   */
  static descriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
    return Gpu.descriptor(adapter);
  }

  /** Resolves with the reason when the device is lost, `destroy` of the GPUDevice included. Every call rejects from then on. */
  get lost(): Promise<GPUDeviceLostInfo> {
    return this.gpu.lost;
  }

  /** Which adapter this is, and whether it is a real GPU. */
  get description(): Description {
    return this.gpu.description;
  }

  /** What has been created, submitted and held so far. */
  get counters(): Counts {
    return this.gpu.counters.snapshot();
  }

  override get maxStorageBytes(): number {
    return this.gpu.maxStorageBytes;
  }

  /**
   * A tensor with a copy of `data`: a number, an array of any depth or a typed array (see `hostArray` for what becomes of each
   * type), row-major. Its shape is that of the nesting unless `shape` says otherwise; options may stand in the shape's place.
   * Throws a TypeError for what is no data, and a RangeError if the number of elements is not the shape's, an element does not
   * fit the dtype, or the device cannot bind so many bytes.
   */
  tensor(data: NestedNumbers, shape?: Shape | TensorOptions, options?: TensorOptions): Tensor {
    const inPlace = isPlainObject(shape);
    const given: TensorOptions = (inPlace ? shape : options) ?? {};
    const { dtype, requiresGrad = false } = checkOptions('tensor', given, TENSOR_OPTIONS);
    const { array, shape: nested } = hostArray(data, dtype);
    const size = inPlace || shape === undefined ? nested : (shape as Shape);
    checkShape(size, 'tensor');
    if (elementCount(size) !== array.length) {
      throw new RangeError(
        `tensor: shape ${formatShape(size)} has ${elementCount(size)} elements, the data ${array.length}`,
      );
    }
    const tensor = this.createTensor(size, () => array, { role: 'tensor', dtype: dtypeOfArray(array) });
    tensor.value.range = rangeOf(array);
    tensor.requiresGrad = requiresGrad;
    return this.adopt(tensor);
  }

  /**
   * Pictures as a tensor [pictures, 3, height, width] of (value - mean) / std, with values between 0 and 1, R, G and B; done by kernels
   * on the device, at once, so that frames which expire with the task can be given. Resizing equals Pillow's BILINEAR, byte for byte;
   * textures of more than 8 bits a channel keep their values and are resized in f32. An -srgb texture gives its encoded bytes.
   * Alpha is passed over. A page imports 'wavelight/pixels' for it. Pictures of several sizes need a `size`. Throws a TypeError for what is no picture or no option of
   * `PixelOptions`, a RangeError for a picture without pixels (closed, not loaded) or for sizes that do not fit, and an Error inside
   * a compiled function.
   */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- pixels/methods.ts puts the real one here
  fromPixels(source: PixelSource | readonly PixelSource[], options?: PixelOptions): Tensor {
    throw new Error(`device.fromPixels ${NEEDS_PIXELS}`);
  }

  /**
   * A tensor of the elements in a buffer of the caller's: nothing is copied. The buffer needs the usage STORAGE (COPY_SRC too where
   * the tensor itself is read back), and must live as long as the tensor, which does not destroy it. The engine never writes to it;
   * the caller may, between runs. Throws a TypeError, RangeError or Error of one sentence for what does not fit.
   */
  fromBuffer(buffer: GPUBuffer, options: FromBufferOptions): Tensor {
    const { shape, dtype, place, requiresGrad } = checkForeign(this.gpu, buffer, options);
    const value = Value.create(dtype, shape, 'a buffer of the caller', 'foreign');
    value.storage.color = this.#foreign.colorOf(buffer);
    value.storage.resident = true;
    this.runtime.memory.place(value.storage, place);
    return this.adopt(new Tensor(this, value, requiresGrad));
  }

  /** See `Tensor.buffer`. @internal */
  buffer(tensor: Tensor): Promise<TensorBuffer> {
    return this.#withPlace(tensor, ({ buffer, offset }, { bytes }) => ({ buffer, offset, size: bytes }));
  }

  /**
   * Makes a step function out of one that records: it is traced once for each set of input shapes, then replayed
   * with no planning, no allocation and a single submit. See `CompiledFunction`.
   */
  compile<Result extends StepResult>(
    fn: (...inputs: Tensor[]) => Result,
    options?: CompileOptions,
  ): CompiledFunction<Result> {
    return compileFunction(this, fn, options);
  }

  /** Runs what was recorded and waits until the device has done it. */
  async sync(): Promise<void> {
    await this.flush();
    await this.runtime.queue.run(() => this.gpu.idle());
  }

  override flush(): Promise<void> {
    const { queue } = this.runtime;
    const recording = this.takeRecording();
    if (recording.isEmpty) return queue.run(() => this.gpu.throwIfLost());
    const scalars = this.prepareRun(recording.hooks);
    let plan: Plan;
    try {
      plan = planNodes(this.runtime.target, recording.nodes, this);
    } catch (error) {
      this.abandon(recording, error);
      return Promise.reject(asError(error));
    }
    acceptPlan(plan);
    this.#pressure.add(plan.made.keys());
    return queue
      .run(async () => {
        await this.runtime.runOnce(plan, scalars);
        this.finishUses(recording.nodes);
      })
      .catch((error: unknown) => {
        this.abandon(recording, error);
        throw error;
      });
  }

  /** @internal */
  override async read(tensor: Tensor): Promise<TypedArray> {
    const { bytes, dtype } = await this.#withPlace(tensor, (place, value) => {
      if ((place.buffer.usage & BufferUsage.COPY_SRC) === 0)
        throw new Error(
          'a buffer made without GPUBufferUsage.COPY_SRC cannot be read back: read tensor.clone() instead',
        );
      const bytes = this.gpu.read(place, value.bytes);
      bytes.catch(() => undefined); // reported below, unless the flush failed before
      return { bytes, dtype: value.dtype };
    });
    return viewOf(await bytes, dtype);
  }

  /** Runs what was recorded, then `use` with where the tensor's elements lie, before whatever the caller asks for next. */
  async #withPlace<T>(tensor: Tensor, use: (place: Storage, value: Value) => T): Promise<T> {
    const { value } = tensor;
    const { storage } = value;
    storage.handles++;
    try {
      const flushed = this.flush();
      const used = this.runtime.queue.run(() => {
        if (value.failure !== null) throw value.failure;
        return use(this.runtime.memory.placeOf(storage), value);
      });
      const [, result] = await Promise.all([flushed, used]);
      return result;
    } finally {
      this.release(storage);
    }
  }

  /** Releases all memory, and the GPUDevice if it was made by us. */
  async destroy(): Promise<void> {
    await this.runtime.queue.idle();
    this.gpu.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }

  /** @internal */
  override create(storage: LogicalStorage, data: () => TypedArray): void {
    this.#pressure.add([storage]);
    this.runtime.upload(storage, data());
  }

  /** Gives a storage its memory, for what is written to it before anything else is submitted. @internal */
  allocate(storage: LogicalStorage): Storage {
    this.#pressure.add([storage]);
    return this.runtime.memory.allocate(storage);
  }

  protected override replace(storage: LogicalStorage, data: TypedArray): void {
    const { queue } = this.runtime;
    queue.run(() => this.runtime.upload(storage, data)).catch(() => undefined);
  }

  protected override free(storage: LogicalStorage): void {
    const { queue, memory } = this.runtime;
    this.#pressure.free(storage);
    void queue.run(() => memory.free(storage));
  }

  protected override move(whole: LogicalStorage, parts: readonly Move[]): void {
    const { queue, memory } = this.runtime;
    queue.run(() => memory.move(whole, parts)).catch(() => undefined);
  }
}
