import { record } from '../../tensor/graph/op.ts';
import { checkOptions, notNegative, number, type OptionKinds } from '../../tensor/graph/options.ts';
import type { Recording } from '../../tensor/graph/recording.ts';
import { adamOp } from '../../tensor/ops/optimizer.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { HostTensor, StateDict } from '../state.ts';
import { placesOf, readState, spansOf, writeState, type Packed, type Slot } from './flat_state.ts';
import { checkParameters, Optimizer, updateExtras, type GateCounts } from './optimizer.ts';

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
  /** Steps that each parameter has taken, those included that the device has skipped. */
  readonly #steps = new Map<Tensor, number>();
  /** The last cohort that each parameter stepped with, by a number of its own: parameters of one have taken part in the same steps. */
  readonly #histories = new Map<Tensor, number>();
  #lastHistory = 0;
  /** What a recording holds of each parameter that has not run: its steps, and its last cohort. */
  readonly #recorded = new WeakMap<Recording, Map<Tensor, Recorded>>();
  /** Of each group, on a device with a loss scale: steps that each parameter has taken, without those skipped; u32. */
  readonly #taken = new Map<Packed, Tensor>();

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
    const [beta1, beta2] = this.#betas;
    // Parameters differ in t if some had no gradient in an earlier step; usually there is one cohort.
    for (const cohort of this.#cohorts(slots)) {
      const gate = this.gate(this.#countsOf(cohort, group));
      const { extras, scaled, gated } = updateExtras(gradScale, gate);
      // Hooks run in this order: the first counts the step, the others see the count.
      const stepSize = this.scalar(() => {
        const t = this.#count(cohort);
        return gated ? this.lr : this.lr / (1 - beta1 ** t);
      });
      const denominator = gated ? 0 : this.scalar(() => Math.sqrt(1 - beta2 ** this.#stepsOf(cohort)));
      const decay = this.decoupled ? this.scalar(() => this.lr * this.#weightDecay) : null;
      record(adamOp, [...buffers, ...extras], [], {
        scaled,
        gated,
        spans: spansOf(cohort, group),
        betas: this.#betas,
        eps: this.#eps,
        weightDecay: this.decoupled ? 0 : this.#weightDecay,
        stepSize,
        denominator,
        decay,
      });
      gate?.dispose();
    }
  }

  /**
   * Slots of parameters that will have taken the same number of steps when what is recorded runs; a recording can be replayed
   * as long as that holds for each cohort. Where the device may skip steps, they must have taken part in the same ones.
   */
  #cohorts(slots: readonly Slot[]): Slot[][] {
    const { recording, lossScale } = this.device;
    let recorded = this.#recorded.get(recording);
    if (recorded === undefined) this.#recorded.set(recording, (recorded = new Map<Tensor, Recorded>()));
    const before = new Map(slots.map(({ tensor }) => [tensor, recorded.get(tensor)]));
    const keyOf = ({ tensor }: Slot): number | object => {
      const pending = before.get(tensor);
      if (lossScale !== null) return pending?.cohort ?? this.#histories.get(tensor) ?? 0;
      return (this.#steps.get(tensor) ?? 0) + (pending?.steps ?? 0);
    };
    const keys = [...new Set(slots.map(keyOf))];
    const cohorts = keys.map((key) => slots.filter((slot) => keyOf(slot) === key));
    this.device.guard(() => cohorts.every((cohort) => new Set(cohort.map(keyOf)).size === 1));
    for (const cohort of cohorts)
      for (const { tensor } of cohort)
        recorded.set(tensor, { steps: (before.get(tensor)?.steps ?? 0) + 1, cohort });
    return cohorts;
  }

  /** The device's numbers of steps of a cohort; null where the host counts alone. */
  #countsOf(cohort: readonly Slot[], group: Packed): GateCounts | null {
    if (this.device.lossScale === null) return null;
    let steps = this.#taken.get(group);
    if (steps === undefined) {
      const counts = group.slots.map(({ tensor }) => this.#steps.get(tensor) ?? 0);
      steps = this.device.createTensor([counts.length], () => Uint32Array.from(counts), {
        role: 'statistic',
        dtype: 'u32',
      });
      this.#taken.set(group, steps);
    }
    return { steps, attrs: { spans: placesOf(cohort, group), betas: this.#betas } };
  }

  /** Counts a step that is about to run. */
  #count(cohort: readonly Slot[]): number {
    const next = this.#stepsOf(cohort) + 1;
    const history = ++this.#lastHistory;
    for (const { tensor } of cohort) {
      this.#steps.set(tensor, next);
      this.#histories.set(tensor, history);
    }
    return next;
  }

  /** The same for all of a cohort. */
  #stepsOf([first]: readonly Slot[]): number {
    return first === undefined ? 0 : (this.#steps.get(first.tensor) ?? 0);
  }

  override async stateDict(): Promise<Map<string, HostTensor>> {
    const steps = new Map(this.#steps);
    // All is asked for before anything is awaited, so that it is of one moment.
    const [state, counted] = await Promise.all([
      readState(this.groups, () => true),
      Promise.all(this.groups.map(async (group) => this.#taken.get(group)?.data())),
    ]);
    this.groups.forEach(({ slots, state: kinds }, g) => {
      slots.forEach(({ tensor, index }, place) => {
        const count = counted[g]?.[place] ?? steps.get(tensor) ?? 0;
        if (count > 0) state.set(`${index}.step`, { shape: [], data: Int32Array.of(count) });
        else for (const kind of kinds.keys()) state.delete(`${index}.${kind}`);
      });
    });
    return state;
  }

  override loadStateDict(dict: StateDict): void {
    writeState(this.device, this.groups, dict, ['step']);
    const histories = new Map<number, number>();
    for (const { slots } of this.groups) {
      for (const { tensor, index } of slots) {
        const count = dict.get(`${index}.step`)?.data[0] ?? 0;
        const history = histories.get(count) ?? ++this.#lastHistory;
        histories.set(count, history);
        this.#steps.set(tensor, count);
        this.#histories.set(tensor, history);
      }
    }
    for (const [{ slots }, taken] of this.#taken)
      this.device.overwrite(
        taken,
        Uint32Array.from(slots, ({ tensor }) => this.#steps.get(tensor) ?? 0),
      );
  }

  override dispose(): void {
    super.dispose();
    for (const taken of this.#taken.values()) taken.dispose();
    this.#taken.clear();
  }
}

/** What a recording holds of a parameter that has not run. */
interface Recorded {
  readonly steps: number;
  readonly cohort: object;
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
