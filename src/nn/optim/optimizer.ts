import { two } from '../../kernels/tuple.ts';
import type { Device } from '../../tensor/device.ts';
import { record } from '../../tensor/graph/op.ts';
import { gradNormOp } from '../../tensor/ops/optimizer.ts';
import type { Recording } from '../../tensor/graph/recording.ts';
import type { ScalarSlot } from '../../tensor/runtime/scalars.ts';
import { Tensor } from '../../tensor/graph/tensor.ts';
import { formatValue, isPlainObject } from '../../tensor/graph/wording.ts';
import type { HostTensor, StateDict } from '../state.ts';
import { deviceOf, packState, spansOf, withGradient, type Packed, type Slot } from './flat_state.ts';

/** The parameters given to the optimiser `what`. Throws a TypeError where they are not tensors in an array. */
export function checkParameters(what: string, parameters: unknown): readonly Tensor[] {
  if (!Array.isArray(parameters)) {
    throw new TypeError(
      `${what} takes an array of tensors, as net.parameters() gives, got ${formatValue(parameters)}`,
    );
  }
  for (const [i, parameter] of (parameters as readonly unknown[]).entries()) {
    if (parameter instanceof Tensor) continue;
    if (isPlainObject(parameter) && 'params' in parameter) {
      throw new TypeError(
        `${what} does not take parameter groups: make an optimiser for each, new ${what}(params, options)`,
      );
    }
    throw new TypeError(`${what}: parameter ${i} is ${formatValue(parameter)}, which is no tensor`);
  }
  return parameters as readonly Tensor[];
}

/**
 * Base of optimisers. The parameters that require a gradient when it is made are moved into flat buffers, so that a step
 * is one dispatch, or a few; those that are frozen then are left alone, as are those without a gradient at a step. A parameter belongs to
 * its newest optimiser.
 */
export abstract class Optimizer {
  /** Learning rate; may be set before any step, also of a compiled function, which reads it anew each time. */
  lr: number;
  protected readonly groups: readonly Packed[];
  readonly #device: Device;
  readonly #scalars: ScalarSlot[] = [];
  /** What the next step multiplies gradients by; null for 1. */
  #gradScale: Tensor | null = null;
  /** How many scalars each recording has taken: its steps must not share them, different recordings may. */
  readonly #taken = new WeakMap<Recording, number>();

  constructor(parameters: readonly Tensor[], lr: number, kinds: readonly string[]) {
    if (!(lr >= 0)) throw new RangeError(`the learning rate must be at least 0, got ${lr}`);
    this.lr = lr;
    this.groups = packState(parameters, kinds);
    this.#device = deviceOf(this.groups);
  }

  /** Moments and the like, and numbers of steps, named by the parameter's index and kind like `3.exp_avg`. */
  abstract stateDict(): Promise<Map<string, HostTensor>>;

  /**
   * Continues from a state that `stateDict` gave, bit for bit. Throws a RangeError that lists what does not fit. Hyperparameters,
   * the learning rate included, are not in it.
   */
  abstract loadStateDict(dict: StateDict): void;

  /** Records the update of parameters that have a gradient, times `gradScale` (f32 [1]) where that is given. */
  protected abstract update(group: Packed, slots: readonly Slot[], gradScale: Tensor | null): void;

  /** Forgets all gradients, so that the next backward starts new ones. */
  zeroGrad(): void {
    this.#dropScale();
    for (const { slots } of this.groups) for (const { tensor } of slots) tensor.clearGrad();
  }

  /**
   * Updates the parameters by their gradients. Outside compiled functions it also submits what was recorded, so that a step of
   * training is one submission.
   */
  step(): void {
    for (const group of this.groups) {
      const slots = withGradient(group);
      if (slots.length > 0) this.update(group, slots, this.#gradScale);
    }
    this.#dropScale();
    // Whoever reads what a failed run should have made is told.
    if (!this.#device.isTracing) this.#device.flush().catch(() => undefined);
  }

  /**
   * Gives the norm of all gradients, as one vector, and makes the next step take them scaled down to norm `maxNorm` if it is larger:
   * PyTorch's clip_grad_norm_, except that the gradients themselves stay as they are. Call it between backward and step.
   */
  clipGradNorm(maxNorm: number): Tensor {
    if (!(maxNorm > 0)) throw new RangeError(`the largest norm must be positive, got ${maxNorm}`);
    const spans = this.groups.map((group) => spansOf(withGradient(group), group));
    const gradients = this.groups.map((group) => group.gradients);
    const outputs = [{ shape: [] }, { shape: [] }];
    const [norm, coefficient] = two(record(gradNormOp, gradients, outputs, { spans, maxNorm }));
    this.#dropScale();
    this.#gradScale = coefficient;
    return norm;
  }

  /** Gives the memory of state and gradients back. The parameters stay as they are. */
  dispose(): void {
    this.#dropScale();
    for (const { parameters, gradients, slots, state } of this.groups) {
      for (const { tensor, gradient } of slots) {
        if (tensor.gradSlot !== gradient) continue;
        tensor.clearGrad();
        tensor.gradSlot = null;
        gradient?.dispose();
      }
      for (const flat of [parameters, gradients, ...state.values()]) flat.dispose();
    }
    for (const slot of this.#scalars.splice(0)) slot.release();
  }

  /** A number that is set anew before each run of what is being recorded; gives its index in the kernels' scalars. */
  protected scalar(value: () => number): number {
    const recording = this.#device.recording;
    const taken = this.#taken.get(recording) ?? 0;
    this.#taken.set(recording, taken + 1);
    const slot = (this.#scalars[taken] ??= this.#device.scalar());
    this.#device.beforeRun(() => slot.set(value()));
    return slot.index;
  }

  #dropScale(): void {
    this.#gradScale?.dispose();
    this.#gradScale = null;
  }
}
