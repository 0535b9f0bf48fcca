import { record } from '../../tensor/graph/op.ts';
import { checkOptions, notNegative, number, type OptionKinds } from '../../tensor/graph/options.ts';
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
      const denominator = this.scalar(() => Math.sqrt(1 - beta2 ** this.#commonSteps(cohort)));
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

  /** Slots of parameters that have taken the same number of steps. */
  #cohorts(slots: readonly Slot[]): Slot[][] {
    const counts = [...new Set(slots.map(({ tensor }) => this.#stepsOf(tensor)))];
    return counts.map((count) => slots.filter(({ tensor }) => this.#stepsOf(tensor) === count));
  }

  #stepsOf(tensor: Tensor): number {
    return this.#steps.get(tensor) ?? 0;
  }

  /** Counts a step that is about to run. */
  #count(cohort: readonly Slot[]): number {
    const next = this.#commonSteps(cohort) + 1;
    for (const { tensor } of cohort) this.#steps.set(tensor, next);
    return next;
  }

  #commonSteps(cohort: readonly Slot[]): number {
    const [first = 0, ...others] = new Set(cohort.map(({ tensor }) => this.#stepsOf(tensor)));
    if (others.length > 0) {
      throw new Error(
        'parameters that a compiled step updates together have taken different numbers of steps since: compile it again',
      );
    }
    return first;
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
    writeState(this.groups, dict, ['step']);
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
