import type { DType } from '../../gpu/dispatch.ts';
import type { GradNode } from './autograd.ts';
import type { Device } from '../device.ts';
import { elementCount, formatShape, type Shape } from './shape.ts';
import type { Value } from './value.ts';

export type TypedArray = Float32Array | Int32Array | Uint32Array;

/** Releases values of tensors that were collected without `dispose`. */
const collected = new FinalizationRegistry<{ device: Device; value: Value }>(({ device, value }) =>
  device.release(value),
);

/**
 * A dense, row-major array on a device. Operations on tensors are recorded, not run; reading (`data`, `item`) runs
 * what was recorded. Methods mirror the functions of the same names (see methods.ts).
 */
export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  /** True for leaves that collect a gradient and for results that depend on one. */
  requiresGrad: boolean;
  /** Gradient of a leaf after `backward`, null before. With an optimiser it lies in the optimiser's flat buffer. */
  grad: Tensor | null = null;
  /** The op that made this tensor, where gradients flow through it. */
  gradNode: GradNode | null = null;
  /** Fixed place for this leaf's gradient, given by an optimiser; see `packParameters`. */
  gradSlot: Tensor | null = null;
  #value: Value | null;
  #whyGone = 'was disposed';

  /** Use `device.tensor`; this constructor wraps a value that exists. */
  constructor(device: Device, value: Value, shape: Shape, requiresGrad = false) {
    this.device = device;
    this.shape = shape;
    this.requiresGrad = requiresGrad;
    this.#value = value;
    value.handles++;
    collected.register(this, { device, value }, this);
  }

  /** The elements. Throws an Error if the tensor was disposed. */
  get value(): Value {
    if (this.#value === null)
      throw new Error(`this tensor of shape ${formatShape(this.shape)} ${this.#whyGone}`);
    return this.#value;
  }

  get dtype(): DType {
    return this.value.dtype;
  }

  get numel(): number {
    return elementCount(this.shape);
  }

  get disposed(): boolean {
    return this.#value === null;
  }

  /** True for a tensor made by the user rather than by an op. */
  get isLeaf(): boolean {
    return this.gradNode === null;
  }

  /** Gives the elements' memory back as soon as nothing recorded needs it. Harmless when repeated. */
  dispose(why = 'was disposed'): void {
    if (this.#value === null) return;
    const value = this.#value;
    this.#value = null;
    this.#whyGone = why;
    collected.unregister(this);
    this.device.release(value);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs what was recorded and reads the elements, row-major. */
  async data(): Promise<TypedArray> {
    return this.device.read(this);
  }

  /** The only element of a tensor that has one. Throws a RangeError otherwise. */
  async item(): Promise<number> {
    if (this.numel !== 1)
      throw new RangeError(`item() needs one element, this tensor is ${formatShape(this.shape)}`);
    const [element] = await this.data();
    return element ?? Number.NaN;
  }

  /** Forgets the gradient, so that the next backward starts a new one. */
  clearGrad(): void {
    this.device.noteGradient(this, 'cleared');
    this.grad?.dispose();
    this.grad = null;
  }

  /** The same elements without gradient history. */
  detach(): Tensor {
    return this.device.adopt(new Tensor(this.device, this.value, this.shape));
  }

  toString(): string {
    return `Tensor(${formatShape(this.shape)}${this.disposed ? ', disposed' : `, ${this.dtype}`})`;
  }
}
