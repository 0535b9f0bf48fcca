import { refuseForeign } from '../../tensor/graph/copies.ts';
import { two } from '../../kernels/tuple.ts';
import { fillOp } from '../../tensor/graph/basic_ops.ts';
import { activeTrace, type Watched } from '../../tensor/graph/guards.ts';
import { createOn, record, recordOne } from '../../tensor/graph/op.ts';
import type { Recording } from '../../tensor/graph/recording.ts';
import { RecordingDevice } from '../../tensor/graph/recording_device.ts';
import type { ScalarSlot } from '../../tensor/graph/scalars.ts';
import { Tensor } from '../../tensor/graph/tensor.ts';
import { formatValue, isPlainObject } from '../../tensor/graph/wording.ts';
import { gateOp, gradNormOp, type GateAttrs } from '../../tensor/ops/optimizer.ts';
import type { HostTensor, StateDict } from '../state.ts';
import {
  packState,
  slotsWithGradient,
  spansOf,
  unpackState,
  updateFlat,
  type Packed,
  type Slot,
} from './flat_state.ts';

/** Numbers of steps that a gate counts. */
export interface GateCounts {
  /** Of a group's parameters, u32. */
  readonly steps: Tensor;
  readonly attrs: GateAttrs;
}

/** The inputs of an update after its vectors, and what its op must know of them. */
export function updateExtras(gradScale: Tensor | null, gate: Tensor | null) {
  return {
    extras: [gradScale, gate].filter((tensor) => tensor !== null),
    scaled: gradScale !== null,
    gated: gate !== null,
  };
}

/** The parameters given to the optimiser `what`. Throws a TypeError where they are not tensors in an array. */
export function checkParameters(what: string, parameters: unknown): readonly Tensor[] {
  if (!Array.isArray(parameters)) {
    throw new TypeError(
      `${what} takes an array of tensors, as net.parameters() gives, got ${formatValue(parameters)}`,
    );
  }
  for (const [i, parameter] of (parameters as readonly unknown[]).entries()) {
    if (parameter instanceof Tensor) continue;
    refuseForeign(`${what}: parameter ${i}`, parameter);
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
 * Base of optimisers. Parameters are moved into flat vectors, so that a step is one dispatch, or a few. A parameter that does not
 * require a gradient when the optimiser is made is left where it is, and moved when it has its first gradient. Parameters
 * without a gradient at a step are left alone. Parameters lie where their newest optimiser has put them; an older one still
 * updates them, with copies.
 */
export abstract class Optimizer {
  protected readonly device: RecordingDevice;
  protected readonly groups: Packed[];
  readonly #kinds: readonly string[];
  /** Parameters that have had no gradient so far, with their places in the order given. */
  #idle: readonly { readonly tensor: Tensor; readonly index: number }[];
  readonly #scalars: ScalarSlot[] = [];
  /** What the next step multiplies gradients by: null for 1, `compiled` where a compiled function keeps it to itself. */
  #gradScale: Tensor | 'compiled' | null = null;
  readonly #watchedScale: Watched = {
    peek: () => this.#gradScale,
    restore: (scale) => (this.#gradScale = scale === 'compiled' || scale instanceof Tensor ? scale : null),
  };
  /** How many scalars each recording has taken: its steps must not share them, different recordings may. */
  readonly #taken = new WeakMap<Recording, number>();

  #lr: number;

  constructor(parameters: readonly Tensor[], lr: number, kinds: readonly string[]) {
    this.#lr = checkRate(lr);
    this.device = deviceOf(parameters);
    this.#kinds = kinds;
    const all = parameters.map((tensor, index) => ({ tensor, index }));
    const trained = all.filter(({ tensor }) => tensor.requiresGrad);
    if (trained.length === 0)
      throw new Error('an optimiser needs at least one parameter that requires a gradient');
    this.groups = packState(this.device, trained, kinds);
    this.#idle = all.filter(({ tensor }) => !tensor.requiresGrad);
  }

  /** Learning rate; may be set before any step, also of a compiled function, which reads it anew each time. */
  get lr(): number {
    return this.#lr;
  }

  /** Throws a RangeError unless it is a finite number of at least 0. */
  set lr(lr: number) {
    this.#lr = checkRate(lr);
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
    for (const { tensor } of this.#idle) tensor.clearGrad();
  }

  /**
   * Updates the parameters by their gradients. Outside compiled functions it also submits what was recorded, so that a step of
   * training is one submission.
   */
  step(): void {
    const scale = this.#takeScale();
    this.#packAwakened();
    for (const group of this.groups) {
      const slots = slotsWithGradient(this.device, group);
      if (slots.length > 0) updateFlat(this.device, group, slots, () => this.update(group, slots, scale));
    }
    scale?.dispose();
    // Whoever reads what a failed run should have made is told.
    if (!this.device.isTracing) this.device.flush().catch(() => undefined);
  }

  /**
   * Gives the norm of all gradients, as one vector, and makes the next step take them scaled down to norm `maxNorm` if it is larger:
   * PyTorch's clip_grad_norm_, except that the gradients themselves stay as they are. Call it between backward and step.
   * The norm is 0 where there are no gradients.
   */
  clipGradNorm(maxNorm: number): Tensor {
    if (!(maxNorm > 0)) throw new RangeError(`the largest norm must be positive, got ${maxNorm}`);
    this.#packAwakened();
    const chosen = this.groups
      .map((group) => ({ group, slots: slotsWithGradient(this.device, group) }))
      .filter(({ slots }) => slots.length > 0);
    this.#dropScale();
    if (chosen.length === 0) return createOn(this.device, fillOp, { shape: [] }, 0);
    const spans = chosen.map(({ group, slots }) => spansOf(slots, group));
    const gradients = chosen.map(({ group }) => group.gradients);
    const outputs = [{ shape: [] }, { shape: [] }];
    const [norm, coefficient] = two(record(gradNormOp, gradients, outputs, { spans, maxNorm }));
    activeTrace()?.noteWrite(this.#watchedScale, 'compiled');
    this.#gradScale = coefficient;
    return norm;
  }

  /** Gives the memory of state and gradients back. The parameters stay as they are. */
  dispose(): void {
    this.#dropScale();
    for (const group of this.groups.splice(0)) unpackState(this.device, group);
    for (const slot of this.#scalars.splice(0)) slot.release();
  }

  /** Makes state for parameters that have their first gradient. */
  #packAwakened(): void {
    const awake = this.#idle.filter(({ tensor }) => {
      this.device.noteGradient(tensor, 'needed');
      return tensor.grad !== null;
    });
    if (awake.length === 0) return;
    this.#idle = this.#idle.filter((entry) => !awake.includes(entry));
    this.groups.push(...packState(this.device, awake, this.#kinds));
  }

  /** A number that is set anew before each run of what is being recorded; gives its index in the kernels' scalars. */
  protected scalar(value: () => number): number {
    const { recording } = this.device;
    const taken = this.#taken.get(recording) ?? 0;
    this.#taken.set(recording, taken + 1);
    const slot = (this.#scalars[taken] ??= this.device.scalar());
    this.device.beforeRun(() => slot.set(value()));
    return slot.index;
  }

  /** What decides on the device whether an update is made, f32 [3]; null on a device without a loss scale. To be disposed. */
  protected gate(counts: GateCounts | null): Tensor | null {
    const { lossScale } = this.device;
    if (lossScale === null) return null;
    const inputs = counts === null ? [lossScale.tensor] : [lossScale.tensor, counts.steps];
    return recordOne(gateOp, inputs, { shape: [3] }, counts?.attrs ?? null);
  }

  #takeScale(): Tensor | null {
    activeTrace()?.noteRead(this.#watchedScale);
    const scale = this.#gradScale;
    if (scale === 'compiled' || scale?.disposed === true) {
      throw new Error(
        'clipGradNorm was called in a compiled function and the step that it is for outside of it: call both in one',
      );
    }
    activeTrace()?.noteWrite(this.#watchedScale, null);
    this.#gradScale = null;
    return scale;
  }

  #dropScale(): void {
    activeTrace()?.noteWrite(this.#watchedScale, null);
    if (this.#gradScale instanceof Tensor) this.#gradScale.dispose();
    this.#gradScale = null;
  }
}

function checkRate(lr: number): number {
  if (typeof lr === 'number' && lr >= 0 && lr < Infinity) return lr;
  throw new RangeError(`the learning rate must be a finite number of at least 0, got ${formatValue(lr)}`);
}

/** Throws an Error if there are no parameters, or if one cannot be trained. */
function deviceOf(parameters: readonly Tensor[]): RecordingDevice {
  const recorder = parameters[0]?.recorder;
  if (!(recorder instanceof RecordingDevice))
    throw new Error('an optimiser needs at least one parameter on a device');
  const odd = parameters.find(({ dtype, isLeaf }) => dtype !== 'f32' || !isLeaf);
  if (odd !== undefined) throw new Error(`${odd.toString()} is not a parameter: a leaf of f32 is needed`);
  if (parameters.some((tensor) => tensor.recorder !== recorder))
    throw new Error('the parameters of an optimiser lie on different devices: make one for each device');
  if (new Set(parameters.map(({ value }) => value.storage)).size < parameters.length)
    throw new Error('a parameter was given twice');
  return recorder;
}
