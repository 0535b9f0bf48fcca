import { record } from '../../tensor/graph/op.ts';
import {
  checkOptions,
  flag,
  notNegative,
  number,
  required,
  type OptionKinds,
} from '../../tensor/graph/options.ts';
import { sgdMomentumOp, sgdOp } from '../../tensor/ops/optimizer.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { HostTensor, StateDict } from '../state.ts';
import { readState, spansOf, writeState, type Packed, type Slot } from './flat_state.ts';
import { checkParameters, Optimizer, updateExtras } from './optimizer.ts';

export interface SgdOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Nesterov's momentum. Default false. */
  readonly nesterov?: boolean;
  /** L2 penalty, added to the gradient as weightDecay * parameter. Default 0. */
  readonly weightDecay?: number;
}

const SGD_OPTIONS: OptionKinds<SgdOptions> = {
  lr: required(number('', Number.isFinite)),
  momentum: number(),
  nesterov: flag,
  weightDecay: notNegative,
};

/**
 * Stochastic gradient descent as PyTorch has it, without dampening:
 *
 *   g = gradient + weightDecay * p,  b = momentum * b + g
 *   p = p - lr * b, with Nesterov's momentum p - lr * (g + momentum * b)
 */
export class Sgd extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;

  /** Throws a RangeError for a momentum outside [0, 1), or where nesterov lacks one; a TypeError without a learning rate. */
  constructor(parameters: readonly Tensor[], options: SgdOptions) {
    checkParameters('SGD', parameters);
    if ((options as SgdOptions | undefined) === undefined)
      throw new TypeError('SGD needs a learning rate: new SGD(parameters, { lr: 0.1 })');
    const { lr, momentum = 0, nesterov = false, weightDecay = 0 } = checkOptions('SGD', options, SGD_OPTIONS);
    if (!(momentum >= 0 && momentum < 1))
      throw new RangeError(`momentum must lie in [0, 1), got ${momentum}`);
    if (nesterov && momentum === 0) throw new RangeError('nesterov needs momentum above 0');
    super(parameters, lr, momentum > 0 ? ['momentum_buffer'] : []);
    this.#momentum = momentum;
    this.#nesterov = nesterov;
    this.#weightDecay = weightDecay;
  }

  protected override update(group: Packed, slots: readonly Slot[], gradScale: Tensor | null): void {
    const buffers = [group.parameters, group.gradients, ...group.state.values()];
    const gate = this.gate(null);
    const { extras, scaled, gated } = updateExtras(gradScale, gate);
    record(this.#momentum > 0 ? sgdMomentumOp : sgdOp, [...buffers, ...extras], [], {
      scaled,
      gated,
      spans: spansOf(slots, group),
      momentum: this.#momentum,
      nesterov: this.#nesterov,
      weightDecay: this.#weightDecay,
      lr: this.scalar(() => this.lr),
    });
    gate?.dispose();
  }

  override stateDict(): Promise<Map<string, HostTensor>> {
    return readState(this.groups, () => true);
  }

  override loadStateDict(dict: StateDict): void {
    writeState(this.device, this.groups, dict);
  }
}
