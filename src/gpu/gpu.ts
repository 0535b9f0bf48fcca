import { Counters } from './counters.ts';
import { DeviceLostError } from './lost.ts';
import { Pipelines } from './pipelines.ts';
import { maxStorageBytes, profileOf, withMeasured } from './profile.ts';
import type { AdapterProfile, Description, Target } from './profile.ts';
import { StagingRing } from './readback.ts';
import { AfterTask } from './after_task.ts';
import { formatBytes, STORAGE_USAGE, type Storage } from './storage.ts';
import { NOTHING_TUNED, type Tuned } from './tuned.ts';

/**
 * `checked`: every call is validated. `fast`: the process asked Dawn to skip that (see src/node/adapter.ts).
 * @inline
 */
export type Profile = 'checked' | 'fast';

/**
 * 1 prints the adapter and each program, 2 each kernel with its time, 3 its bindings, 4 its WGSL.
 * @inline
 */
type DebugLevel = 0 | 1 | 2 | 3 | 4;

export interface GpuOptions {
  readonly profile?: Profile;
  readonly debug?: DebugLevel;
  readonly log?: (line: string) => void;
  /** Fills new storage with NaN, so that tests see what was never written. */
  readonly poison?: boolean;
  /** Parameters of kernels as WGSL constants; by default on hardware, where compiling is cheap and constants pay. */
  readonly bakeParams?: boolean;
  /** GPUBufferUsage flags that tensors' buffers get beside STORAGE, COPY_SRC and COPY_DST, such as VERTEX for a render pass. */
  readonly usage?: GPUBufferUsageFlags;
}

const FEATURES = [
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'chromium-experimental-subgroup-matrix',
  'timestamp-query',
];

/** The loss of a device is known this many milliseconds after what fails because of it, at most. */
const LOSS_KNOWN_MS = 100;

/** Of a device that does not say what it is. */
const UNKNOWN: Description = { name: 'unnamed adapter', vendor: '', architecture: '', kind: 'gpu' };
export type { Description } from './profile.ts';

/** What a device is asked for: as much as the adapter has. */
export const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** A device with what the engine keeps beside it: counters, compiled pipelines, staging buffers, errors. */
export class Gpu {
  readonly device: GPUDevice;
  readonly description: Description;
  readonly limits: GPUSupportedLimits;
  readonly profile: Profile;
  readonly debug: DebugLevel;
  readonly poison: boolean;
  readonly log: (line: string) => void;
  readonly counters = new Counters();
  readonly pipelines: Pipelines;
  /** Whether parameters of kernels become WGSL constants. */
  readonly bakesParams: boolean;
  /** What went wrong on the device since the last look; see throwIfFailed. */
  readonly errors: string[] = [];
  /** Bytes that one storage can have. */
  readonly maxStorageBytes: number;
  /** Usage of the buffers that tensors lie in. */
  readonly storageUsage: GPUBufferUsageFlags;
  /** Resolves when the device is lost, `destroy` included. */
  readonly lost: Promise<GPUDeviceLostInfo>;
  /** What kernels know of the adapter where nothing was measured. */
  readonly #usual: AdapterProfile;
  #geometry: AdapterProfile;
  #tuned: Tuned = NOTHING_TUNED;
  readonly #staging: StagingRing;
  readonly #owned: boolean;
  readonly #buffers = new Set<GPUBuffer>();
  /** With their bytes. */
  readonly #textures = new Map<GPUTexture, number>();
  readonly #afterTask = new AfterTask();
  #lost: DeviceLostError | null = null;
  #destroyed = false;

  private constructor(
    device: GPUDevice,
    description: Description,
    info: GPUAdapterInfo | undefined,
    owned: boolean,
    options: GpuOptions,
  ) {
    this.device = device;
    this.description = description;
    this.limits = device.limits;
    this.profile = options.profile ?? 'checked';
    this.debug = options.debug ?? 0;
    this.log = options.log ?? ((line) => console.log(line));
    this.poison = options.poison ?? false;
    this.#owned = owned;
    this.#usual = profileOf(device.limits, device.features, description, info);
    this.#geometry = this.#usual;
    this.maxStorageBytes = maxStorageBytes(this.geometry);
    this.bakesParams = options.bakeParams ?? this.geometry.bakeParams;
    this.pipelines = new Pipelines(device, this.counters, {
      bake: this.bakesParams,
      ...(this.debug >= 4 && { onCompile: (label, code) => this.log(`--- ${label}\n${code}`) }),
    });
    this.storageUsage = STORAGE_USAGE | (options.usage ?? 0);
    this.#staging = new StagingRing(this);
    this.lost = device.lost.then((info) => {
      this.#lost = new DeviceLostError(info);
      return info;
    });
    if (this.debug >= 1)
      this.log(`adapter: ${description.name} (${description.kind}, ${this.profile} profile)`);
  }

  /** What to ask an adapter's `requestDevice` for: every feature that the engine can use, and all that the adapter has of the limits. */
  static descriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
    return {
      requiredFeatures: FEATURES.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
      requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
    };
  }

  static async fromAdapter(adapter: GPUAdapter, options: GpuOptions = {}): Promise<Gpu> {
    const device = await adapter.requestDevice(Gpu.descriptor(adapter));
    // A device's own info lacks the configurations of subgroup matrices.
    return new Gpu(device, describeAdapter(adapter.info), adapter.info, true, options);
  }

  /** Works on a device of the caller's, which stays the caller's: destroy() leaves it alive. */
  static fromDevice(device: GPUDevice, options: GpuOptions = {}): Gpu {
    // Typed as always there, but absent in older browsers.
    const info = device.adapterInfo as GPUAdapterInfo | undefined;
    return new Gpu(device, info === undefined ? UNKNOWN : describeAdapter(info), info, false, options);
  }

  /**
   * A buffer that counts and that destroy() releases. That the device has no memory for it is known later: the next
   * awaited operation rejects.
   */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#allocate(label, bytes, () =>
      this.device.createBuffer({ label, size: bytes, usage }),
    );
    this.#buffers.add(buffer);
    this.counters.addBuffer(bytes);
    return buffer;
  }

  /** A texture of 4 bytes a pixel that counts and that destroy() releases; without memory as `createBuffer`. */
  createTexture(
    label: string,
    [width, height]: readonly [number, number],
    format: GPUTextureFormat,
    usage: GPUTextureUsageFlags,
  ): GPUTexture {
    const bytes = 4 * width * height;
    const texture = this.#allocate(label, bytes, () =>
      this.device.createTexture({ label, size: [width, height], format, usage }),
    );
    this.#textures.set(texture, bytes);
    this.counters.addTexture(bytes);
    return texture;
  }

  #allocate<T>(label: string, bytes: number, create: () => T): T {
    this.throwIfLost();
    this.device.pushErrorScope('out-of-memory');
    const created = this.scoped(create);
    const known = this.device.popErrorScope().catch(() => null);
    void known.then((error) => {
      if (error === null) return;
      this.errors.push(
        `the device has no memory left for ${formatBytes(bytes)} of ${label} beside the ` +
          `${formatBytes(this.counters.bytesHeld - bytes)} held: use a smaller batch`,
      );
    });
    return created;
  }

  destroyTexture(texture: GPUTexture): void {
    const bytes = this.#textures.get(texture);
    if (bytes === undefined) return;
    this.#textures.delete(texture);
    this.counters.remove(bytes);
    texture.destroy();
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.counters.remove(buffer.size);
    // A command encoder of the caller's that is not submitted yet may use it.
    if (!this.#afterTask.defer(() => buffer.destroy())) buffer.destroy();
  }

  /** Whether the buffer is one of the engine's own. */
  owns(buffer: GPUBuffer): boolean {
    return this.#buffers.has(buffer);
  }

  /**
   * To be called when commands are encoded that the caller submits before this task ends: until then nothing that they use is
   * destroyed or given away. `then` is called at its end.
   */
  encodedInTask(then: () => void): void {
    this.#afterTask.start(then);
  }

  /** What kernels know of the adapter. */
  get geometry(): AdapterProfile {
    return this.#geometry;
  }

  /** What was measured of the adapter. Plans made after it is set use it. */
  get tuned(): Tuned {
    return this.#tuned;
  }

  set tuned(tuned: Tuned) {
    this.#tuned = tuned;
    this.#geometry = withMeasured(this.#usual, tuned);
  }

  /** What plans must keep to. */
  get target(): Target {
    const { products } = this.#tuned;
    return {
      name: this.description.name,
      geometry: this.geometry,
      tuned: products,
      raisable: !this.#owned,
    };
  }

  /** Copies the array (a multiple of 4 bytes) to the start of the storage, after all work submitted so far. Throws if the device is lost. */
  upload(storage: Storage, data: ArrayBufferView<ArrayBuffer>): void {
    this.throwIfLost();
    if (data.byteLength > storage.bytes || data.byteLength % 4 !== 0) {
      throw new RangeError(
        `cannot upload ${data.byteLength} bytes: a multiple of 4 up to ${storage.bytes} is needed`,
      );
    }
    this.device.queue.writeBuffer(
      storage.buffer,
      storage.offset,
      data.buffer,
      data.byteOffset,
      data.byteLength,
    );
  }

  /** Reads the first `bytes` of the storage back; rejects with what failed on the device before. */
  async read(storage: Storage, bytes: number): Promise<ArrayBuffer> {
    this.throwIfFailed();
    const result = await this.#staging.read(storage, bytes).catch((error: unknown) => this.explain(error));
    // An earlier failure makes these bytes worthless.
    this.throwIfFailed();
    return result;
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Throws what is behind an error of the device: that it was lost, what failed before, or else the error itself. */
  async explain(error: unknown): Promise<never> {
    // That the device is lost may be known a moment later than what fails because of it.
    await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, LOSS_KNOWN_MS))]);
    this.throwIfFailed();
    throw error;
  }

  /** Encodes and submits one command buffer. Throws an Error if the device is lost. */
  submit(encode: (encoder: GPUCommandEncoder) => void): void {
    this.throwIfLost();
    this.scoped(() => {
      const encoder = this.device.createCommandEncoder();
      encode(encoder);
      this.device.queue.submit([encoder.finish()]);
    });
    this.counters.submits++;
  }

  /** Notes errors of the calls that `work` makes as ours: whoever uses the GPUDevice beside us keeps the others. */
  scoped<T>(work: () => T): T {
    this.device.pushErrorScope('internal');
    this.device.pushErrorScope('validation');
    try {
      return work();
    } finally {
      for (let scopes = 0; scopes < 2; scopes++) {
        this.device.popErrorScope().then(
          (error) => error !== null && this.errors.push(error.message),
          () => undefined, // the device is lost, which its promise tells
        );
      }
    }
  }

  /** Resolves when all submitted work is done; rejects with what failed. */
  async idle(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone().catch((error: unknown) => this.explain(error));
    this.throwIfFailed();
  }

  /** Throws an Error with what failed on the device since the last look, if anything did. */
  throwIfFailed(): void {
    this.throwIfLost();
    const [first, ...others] = this.errors.splice(0);
    // What follows the first failure is most often its consequence.
    if (first !== undefined)
      throw new Error(others.length > 0 ? `${first} (and ${others.length} more errors)` : first);
  }

  fillNaN(storage: Storage): void {
    const step = 1024 * 1024;
    const nan = new Uint32Array(Math.min(step, storage.bytes / 4)).fill(0xffffffff);
    for (let at = 0; at < storage.bytes; at += 4 * step) {
      const bytes = Math.min(4 * step, storage.bytes - at);
      this.device.queue.writeBuffer(storage.buffer, storage.offset + at, nan.buffer, 0, bytes);
    }
  }

  /** Releases every buffer and texture, and the device if it is ours. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const buffer of [...this.#buffers]) this.destroyBuffer(buffer);
    for (const texture of [...this.#textures.keys()]) this.destroyTexture(texture);
    if (this.#owned) this.device.destroy();
  }

  /** Throws a DeviceLostError if the device is lost, and an Error if it was destroyed. */
  throwIfLost(): void {
    this.#throwIfDestroyed();
    if (this.#lost !== null) throw this.#lost;
  }

  #throwIfDestroyed(): void {
    if (this.#destroyed) throw new Error('this Gpu was destroyed');
  }
}

/** Software adapters: SwiftShader and Mesa's lavapipe say so in one way or another. */
export function describeAdapter(info: GPUAdapterInfo): Description {
  const text = [info.vendor, info.architecture, info.device, info.description].join(' ');
  const software =
    info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(text);
  return {
    name:
      info.description ||
      [info.vendor, info.device || info.architecture].filter(Boolean).join(' ') ||
      'unnamed adapter',
    vendor: info.vendor,
    architecture: info.architecture,
    kind: software ? 'cpu' : 'gpu',
  };
}
