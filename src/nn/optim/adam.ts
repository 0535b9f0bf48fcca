import { record } from '../../tensor/graph/op.ts';
import { checkOptions, notNegative, number, type OptionKinds } from '../../tensor/graph/options.ts';
import type { Recording } from '../../tensor/graph/recording.ts';
import { adamOp } from '../../tensor/ops/optimizer.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { HostTensor, StateDict } from '../state.ts';
import { readState, spansOf, writeState, type Packed, type Slot } from './flat_state.ts';
import { checkParameters, Optimizer } from './optimizer.ts';

export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  readonly lr?: number;
  /** Decay of the first and the second moment. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly eps?: number;
  /** L2 penalty, added to the gradient as weightDecay * parameter. Default 0. */
  readonly weightDecay?: number;
}

const ADAM_OPTIONS: OptionKinds<AdamOptions> = {
  lr: number('', Number.isFinite),
  betas: {
    what: 'two numbers',
    accepts: (value) =>
      Array.isArray(value) && value.length === 2 && value.every((beta) => typeof beta === 'number'),
  },
  eps: number('', Number.isFinite),
  weightDecay: notNegative,
};

/**
 * Adam (Kingma and Ba 2015) as PyTorch has it, with t counted for each parameter:
 *
 *   g = gradient + weightDecay * p
 *   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 */
export class Adam extends Optimizer {
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #weightDecay: number;
  /** AdamW: the decay shrinks parameters and is not part of the gradient. */
  protected readonly decoupled: boolean = false;
  /** Steps that each parameter has taken. */
  readonly #steps = new Map<Tensor, number>();
  /** Steps of each parameter that a recording holds and that have not run. */
  readonly #recorded = new WeakMap<Recording, Map<Tensor, number>>();

  /** Throws a RangeError for options out of range, a TypeError for others. */
  constructor(parameters: readonly Tensor[], options: AdamOptions = {}) {
    checkParameters('Adam', parameters);
    const { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = checkOptions('Adam', options, ADAM_OPTIONS);
    if (betas.some((beta) => !(beta >= 0 && beta < 1)))
      throw new RangeError(`betas must lie in [0, 1), got ${betas.join(', ')}`);
    if (!(eps > 0)) throw new RangeError(`eps must be positive, got ${eps}`);
    super(parameters, options.lr ?? 1e-3, ['exp_avg', 'exp_avg_sq']);
    this.#betas = betas;
    this.#eps = eps;
    this.#weightDecay = weightDecay;
  }

  protected override update(group: Packed, slots: readonly Slot[], gradScale: Tensor | null): void {
    const { parameters, gradients, state } = group;
    const buffers = [parameters, gradients, ...state.values()];
    const inputs = gradScale === null ? buffers : [...buffers, gradScale];
    const [beta1, beta2] = this.#betas;
    // Parameters differ in t if some had no gradient in an earlier step; usually there is one cohort.
    for (const cohort of this.#cohorts(slots)) {
      // Hooks run in this order: the first counts the step, the others see the count.
      const stepSize = this.scalar(() => this.lr / (1 - beta1 ** this.#count(cohort)));
      const denominator = this.scalar(() => Math.sqrt(1 - beta2 ** this.#stepsOf(cohort)));
      const decay = this.decoupled ? this.scalar(() => this.lr * this.#weightDecay) : null;
      record(adamOp, inputs, [], {
        spans: spansOf(cohort, group),
        betas: this.#betas,
        eps: this.#eps,
        weightDecay: this.decoupled ? 0 : this.#weightDecay,
        stepSize,
        denominator,
        decay,
      });
    }
  }

  /**
   * Slots of parameters that will have taken the same number of steps when what is recorded runs; a recording can be replayed
   * as long as that holds for each cohort.
   */
  #cohorts(slots: readonly Slot[]): Slot[][] {
    const { recording } = this.device;
    let recorded = this.#recorded.get(recording);
    if (recorded === undefined) this.#recorded.set(recording, (recorded = new Map<Tensor, number>()));
    const before = new Map(slots.map(({ tensor }) => [tensor, recorded.get(tensor) ?? 0]));
    const stepsAt = ({ tensor }: Slot): number => (this.#steps.get(tensor) ?? 0) + (before.get(tensor) ?? 0);
    const counts = [...new Set(slots.map(stepsAt))];
    const cohorts = counts.map((count) => slots.filter((slot) => stepsAt(slot) === count));
    this.device.guard(() => cohorts.every((cohort) => new Set(cohort.map(stepsAt)).size === 1));
    for (const [tensor, steps] of before) recorded.set(tensor, steps + 1);
    return cohorts;
  }

  /** Counts a step that is about to run. */
  #count(cohort: readonly Slot[]): number {
    const next = this.#stepsOf(cohort) + 1;
    for (const { tensor } of cohort) this.#steps.set(tensor, next);
    return next;
  }

  /** The same for all of a cohort. */
  #stepsOf([first]: readonly Slot[]): number {
    return first === undefined ? 0 : (this.#steps.get(first.tensor) ?? 0);
  }

  override async stateDict(): Promise<Map<string, HostTensor>> {
    const steps = new Map(this.#steps);
    const state = await readState(this.groups, ({ tensor }) => (steps.get(tensor) ?? 0) > 0);
    for (const { slots } of this.groups) {
      for (const { tensor, index } of slots) {
        const count = steps.get(tensor) ?? 0;
        if (count > 0) state.set(`${index}.step`, { shape: [], data: Int32Array.of(count) });
      }
    }
    return state;
  }

  override loadStateDict(dict: StateDict): void {
    writeState(this.device, this.groups, dict, ['step']);
    for (const { slots } of this.groups) {
      for (const { tensor, index } of slots) this.#steps.set(tensor, dict.get(`${index}.step`)?.data[0] ?? 0);
    }
  }
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019): p shrinks by lr * weightDecay, default 0.01, in each step. */
export class AdamW extends Adam {
  protected override readonly decoupled = true;

  constructor(parameters: readonly Tensor[], options: AdamOptions = {}) {
    checkParameters('AdamW', parameters);
    const { weightDecay = 0.01, ...rest } = checkOptions('AdamW', options, ADAM_OPTIONS);
    super(parameters, { weightDecay, ...rest });
  }
}
