import { BRAND, brandOf, type Brand } from '../tensor/graph/copies.ts';
import { activeTrace, type Watched } from '../tensor/graph/guards.ts';
import { defaultGenerator } from '../tensor/graph/random.ts';
import type { RecordingDevice } from '../tensor/graph/recording_device.ts';
import { elementCount, formatShape, type Shape } from '../tensor/graph/shape.ts';
import type { Tensor } from '../tensor/graph/tensor.ts';

/** Makes a tensor's elements, row-major; all that is random in them comes from the seed, a u32. */
export type Init = (shape: Shape, seed: number) => Float32Array<ArrayBuffer>;

/**
 * A tensor that belongs to a module: in host memory until the module is moved to a device, there afterwards. Its seed
 * is drawn when it is constructed, so that `manualSeed` decides all initial weights; the elements are made when they are first
 * needed, so that weights that are loaded anyway cost nothing.
 */
export class ModuleTensor {
  readonly shape: Shape;
  /** Makes the elements; null on a device. */
  #make: (() => Float32Array<ArrayBuffer>) | null;
  #tensor: Tensor | null = null;
  #device: RecordingDevice | null = null;
  readonly #role: 'parameter' | 'statistic';
  #requiresGrad: boolean;
  /** A compiled function is traced anew when the tensor is another one, as after a move to another device. */
  readonly #watched: Watched = { peek: () => this.#tensor, restore: () => undefined };

  constructor(shape: Shape, init: Init, role: 'parameter' | 'statistic') {
    const seed = defaultGenerator.bits();
    this.shape = shape;
    this.#make = () => init(shape, seed);
    this.#role = role;
    this.#requiresGrad = role === 'parameter';
  }

  /** @internal */
  get [BRAND](): Brand {
    return brandOf('parameter');
  }

  /** The tensor on the device. Throws an Error if the module has not been moved to one. */
  get tensor(): Tensor {
    activeTrace()?.noteRead(this.#watched);
    if (this.#tensor === null) {
      throw new Error(
        `a module's tensor of shape ${formatShape(this.shape)} is on no device: call model.to(device) before use`,
      );
    }
    return this.#tensor;
  }

  get requiresGrad(): boolean {
    return this.#requiresGrad;
  }

  set requiresGrad(flag: boolean) {
    this.#requiresGrad = flag;
    if (this.#tensor !== null) this.#tensor.requiresGrad = flag;
  }

  get numel(): number {
    return elementCount(this.shape);
  }

  /** Replaces the elements, wherever they are; `data` must not be changed afterwards. */
  set(data: Float32Array<ArrayBuffer>): void {
    if (this.#tensor === null) this.#make = () => data;
    else this.#device?.overwrite(this.#tensor, data);
  }

  /** Leaves any device but this one; the elements must be set before the next use. @internal */
  leave(device: RecordingDevice): void {
    if (this.#tensor === null || this.#device === device) return;
    this.#tensor.replaceGrad(null);
    this.#tensor.dispose('has moved to another device with its module');
    this.#tensor = null;
    this.#device = null;
  }

  /** Moves the elements to a device. Throws an Error if they are on another one. */
  to(device: RecordingDevice): void {
    if (this.#tensor !== null) {
      if (this.#device === device) return;
      throw new Error(
        'a module moves to another device with a state dict: const state = await net.stateDict(); net.to(device, state)',
      );
    }
    const make = this.#make;
    if (make === null) throw new Error('this module was disposed');
    this.#tensor = device.createTensor(this.shape, make, { role: this.#role });
    this.#tensor.requiresGrad = this.#requiresGrad;
    this.#device = device;
    this.#make = null;
  }

  /** A copy of the elements. */
  async read(): Promise<Float32Array> {
    if (this.#make !== null) return this.#make().slice();
    const data = await this.tensor.data();
    if (!(data instanceof Float32Array)) throw new TypeError('a module holds f32 tensors only');
    return data;
  }

  /** Gives the memory back; the module can no longer be used. */
  dispose(): void {
    this.#tensor?.replaceGrad(null);
    this.#tensor?.dispose();
    this.#make = null;
  }
}

/** A tensor that is trained. */
export class Parameter extends ModuleTensor {
  constructor(shape: Shape, init: Init) {
    super(shape, init, 'parameter');
  }
}

/** A tensor that is kept with the parameters but not trained, as running statistics are (PyTorch: a buffer). */
export class Statistic extends ModuleTensor {
  constructor(shape: Shape, init: Init) {
    super(shape, init, 'statistic');
  }
}
