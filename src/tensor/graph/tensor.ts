import type { DType } from '../../gpu/dispatch.ts';
import { BRAND, brandOf, refuseForeign, type Brand } from './copies.ts';
import type { TypedArray } from './dtype.ts';
import { activeTrace, type Watched } from './guards.ts';
import type { Op, OutputSpec } from './node.ts';
import { formatShape, sameShape, type Shape } from './shape.ts';
import type { LogicalStorage } from './storage.ts';
import { Value } from './value.ts';
import { formatValue } from './wording.ts';

/**
 * Gradients for an op's inputs: called with the gradient of its output, the saved tensors, and for each input
 * whether its gradient is wanted. Gives one tensor or null for each input. Nothing it does is itself recorded
 * for differentiation.
 */
export type Backward = (
  gradient: Tensor,
  saved: readonly Tensor[],
  needs: readonly boolean[],
) => readonly (Tensor | null)[];

/** One differentiable op in the history of a tensor. */
export interface GradNode {
  /** Names the op in errors. */
  readonly name: string;
  /** Later ops have larger numbers, so descending order is a topological one. */
  readonly sequence: number;
  /** For each input: the op that made it, or the leaf itself, or null where no gradient is wanted. */
  readonly edges: readonly (GradNode | Tensor | null)[];
  readonly needs: readonly boolean[];
  saved: readonly Tensor[] | null;
  /** Versions of the saved tensors' storages, which backward finds unchanged or refuses. */
  readonly versions: readonly number[];
  readonly backward: Backward;
}

/** How a device scales the gradients that flow in a backward; see LossScale. */
export interface GradientScale {
  readonly scales: boolean;
  begin(root: Tensor, seed: Tensor | null): Tensor;
  settle(): void;
  accumulate(grad: Tensor, gradient: Tensor): void;
  unscale(gradients: readonly Tensor[]): void;
}

/** What a tensor asks of the device that it lives on. */
export interface Recorder {
  record<Attrs>(
    op: Op<Attrs>,
    inputs: readonly Tensor[],
    outputs: readonly OutputSpec[],
    attrs: Attrs,
  ): Tensor[];
  /** Records a look at `x` in another shape with as many elements. */
  recordReshape(x: Tensor, shape: Shape): Tensor;
  /** Runs what was recorded and reads a tensor's elements. */
  read(tensor: Tensor): Promise<TypedArray>;
  /** Drops one handle on a storage. */
  release(storage: LogicalStorage): void;
  /** Lets the innermost scope own the tensor. */
  adopt(tensor: Tensor): Tensor;
  scope<T>(fn: () => T): T;
  trackGradNode(node: GradNode): void;
  /** To be called before a leaf's gradient is read, added to, replaced or cleared by anything recorded. */
  noteGradient(leaf: Tensor, use: 'needed' | 'cleared'): void;
  /** True while the elements of the value are recorded but not computed. */
  isPending(value: Value): boolean;
  /** Makes a value that is still to be computed the gradient in `slot`. */
  claimGradient(value: Value, slot: LogicalStorage): void;
  /** The storage of a leaf's gradient. */
  gradientSlot(leaf: Tensor): LogicalStorage;
  /** Notes that a storage is changed in place by what was recorded last. */
  noteChange(storage: LogicalStorage): void;
  /** Refuses integer elements outside 0 <= element < end, now or when the host knows them. */
  requireRange(tensor: Tensor, end: number, what: string): void;
  /** A number for a random op, unique within the recording and the same each time it is made. */
  nextRandomIndex(): number;
  /** Null until a function is compiled with precision 'f16'. */
  readonly lossScale: GradientScale | null;
  /** Counts the runs; with the seed and the element it decides every random number. */
  readonly randomStep: number;
  /** Calls `hook` before each run of what is being recorded, to set scalars. */
  beforeRun(hook: () => void): void;
  /** Sequence number of the first op of the trace under way; null outside traces. */
  readonly tracedFrom: number | null;
}

/** Releases storages of tensors that were collected without `dispose`. */
const collected = new FinalizationRegistry<{ recorder: Recorder; storage: LogicalStorage }>(
  ({ recorder, storage }) => recorder.release(storage),
);

/**
 * A row-major array on a device. Operations on tensors are recorded, not run; reading (`data`, `item`) runs
 * what was recorded. Methods mirror the functions of the same names (see methods.ts).
 */
export class Tensor {
  /** @internal */
  readonly recorder: Recorder;
  readonly shape: Shape;
  /** The op that made this tensor, where gradients flow through it. @internal */
  gradNode: GradNode | null = null;
  /** Where this leaf's gradient lies whenever it has one; see `Recorder.gradientSlot`. @internal */
  gradStorage: LogicalStorage | null = null;
  #requiresGrad: boolean;
  #grad: Tensor | null = null;
  #watch: Watched | null = null;
  #value: Value | null;
  #whyGone = 'was disposed';

  /** Use `device.tensor`; this constructor wraps a value that exists. @internal */
  constructor(recorder: Recorder, value: Value, requiresGrad = false) {
    this.recorder = recorder;
    this.shape = value.shape;
    this.#requiresGrad = requiresGrad;
    this.#value = value;
    value.storage.handles++;
    collected.register(this, { recorder, storage: value.storage }, this);
  }

  /** @internal */
  get [BRAND](): Brand {
    return brandOf('tensor');
  }

  /** The elements. Throws an Error if the tensor was disposed, or its memory given to other elements. @internal */
  get value(): Value {
    const why = this.#value === null ? this.#whyGone : this.#value.whyGone;
    if (this.#value === null || why !== null)
      throw new Error(`this tensor of shape ${formatShape(this.shape)} ${why ?? this.#whyGone}`);
    return this.#value;
  }

  get dtype(): DType {
    return this.value.dtype;
  }

  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get disposed(): boolean {
    return this.#value === null;
  }

  /** True for a tensor made by the user rather than by an op. */
  get isLeaf(): boolean {
    return this.gradNode === null;
  }

  /** True for leaves that collect a gradient and for results that depend on one. */
  get requiresGrad(): boolean {
    if (this.isLeaf) activeTrace()?.noteRead(this.#watched());
    return this.#requiresGrad;
  }

  /** Throws a TypeError for integers, which have no gradient. */
  set requiresGrad(flag: boolean) {
    if (flag && this.dtype !== 'f32')
      throw new TypeError(`only f32 can require a gradient, got ${this.dtype}: cast the tensor first`);
    if (this.isLeaf) activeTrace()?.noteWrite(this.#watched(), flag);
    this.#requiresGrad = flag;
  }

  /** Gradient of a leaf after `backward`, null before. */
  get grad(): Tensor | null {
    return this.#grad;
  }

  /**
   * Replaces the gradient, as PyTorch's `p.grad = ...` does; null forgets it. Throws a TypeError or RangeError unless it has this
   * tensor's shape, dtype and device.
   */
  set grad(gradient: Tensor | null) {
    if (gradient === this.#grad) return;
    if (gradient !== null) {
      refuseForeign('grad', gradient);
      if (!(gradient instanceof Tensor))
        throw new TypeError(`grad must be a tensor or null, got ${formatValue(gradient)}`);
      const { shape, dtype, recorder } = gradient;
      if (!sameShape(shape, this.shape))
        throw new RangeError(
          `a gradient of shape ${formatShape(shape)} cannot belong to a tensor of ${formatShape(this.shape)}`,
        );
      if (dtype !== this.dtype)
        throw new TypeError(`a gradient of ${dtype} cannot belong to a tensor of ${this.dtype}`);
      if (recorder !== this.recorder)
        throw new Error('grad: the gradient lies on another device than its tensor');
    }
    this.recorder.noteGradient(this, gradient === null ? 'cleared' : 'needed');
    if (gradient !== null) this.recorder.lossScale?.settle();
    // Another handle, so that the caller's tensor, and the scope that may own it, can go.
    this.replaceGrad(gradient === null ? null : new Tensor(gradient.recorder, gradient.value));
  }

  /** Sets the gradient without noting it; for the engine. @internal */
  replaceGrad(gradient: Tensor | null): void {
    this.#grad?.dispose('was the gradient of a tensor, which has been cleared or replaced');
    this.#grad = gradient;
  }

  /** Gives the elements' memory back as soon as nothing recorded needs it. Harmless when repeated. */
  dispose(why = 'was disposed'): void {
    if (this.#value === null) return;
    const { storage } = this.#value;
    this.#value = null;
    this.#whyGone = why;
    collected.unregister(this);
    this.recorder.release(storage);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs what was recorded and reads the elements, row-major. */
  async data(): Promise<TypedArray> {
    return this.recorder.read(this);
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
    this.recorder.noteGradient(this, 'cleared');
    this.replaceGrad(null);
  }

  /** The same elements without gradient history. */
  detach(): Tensor {
    return this.recorder.adopt(new Tensor(this.recorder, this.value));
  }

  toString(): string {
    return `Tensor(${formatShape(this.shape)}${this.disposed ? ', disposed' : `, ${this.dtype}`})`;
  }

  /** Gives the tensor a history; for autograd. @internal */
  setHistory(node: GradNode): void {
    this.gradNode = node;
    this.#requiresGrad = true;
  }

  /** Forgets how the tensor was made; for autograd. @internal */
  dropHistory(): void {
    this.gradNode = null;
    this.#requiresGrad = false;
  }

  #watched(): Watched {
    return (this.#watch ??= {
      peek: () => this.#requiresGrad,
      restore: (flag) => (this.#requiresGrad = flag === true),
    });
  }
}
