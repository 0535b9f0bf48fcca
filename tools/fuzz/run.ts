/** Runs a case on one device, eagerly or compiled, and reads all that came of it. */
import {
  add,
  crossEntropy,
  flatten,
  mean,
  mul,
  noGrad,
  optim,
  reshape,
  sum,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import type { Case, Loss, Mode, Update } from './case.ts';
import { Elements, layoutOf } from './layout.ts';
import { runStep, type LeafSpec } from './steps.ts';

/** Tensors by names like `call 1: value 4`, `gradient of c0.weight[4,3,3,3]`. */
export type Results = Map<string, Float32Array>;

interface RunOptions {
  readonly compiled: boolean;
  readonly precision?: Precision;
  /** Disturbs the last bits of all elements; see `Elements`. */
  readonly nudge?: number;
  /** Bits of an element, by default those of f32. */
  readonly bits?: number;
}

type Named = Record<string, Tensor>;

/** Throws what the engine throws. Whatever happens, all memory is given back. */
export async function runCase(device: Device, net: Case, options: RunOptions): Promise<Results> {
  const run = new Run(device, net, options);
  try {
    return await run.results();
  } finally {
    run.dispose();
  }
}

class Run {
  readonly #device: Device;
  readonly #net: Case;
  readonly #options: RunOptions;
  readonly #elements: Elements;
  readonly #leaves = new Map<string, Tensor>();
  readonly #constants = new Map<string, Tensor>();
  readonly #statistics = new Set<string>();
  readonly #optimizer: optim.Optimizer | null;
  readonly #garbage: { dispose(): void }[] = [];

  constructor(device: Device, net: Case, options: RunOptions) {
    this.#device = device;
    this.#net = net;
    this.#options = options;
    this.#elements = new Elements(net, options.nudge, options.bits);
    const { shapes, leaves } = layoutOf(net);
    for (const spec of leaves.values()) this.#addLeaf(spec);
    for (const [i, { shape, leaf = false }] of net.inputs.entries())
      if (leaf) this.#leaves.set(`input${i}`, this.#tensor(this.#elements.input(i, 0), shape, true));
    for (const [i, { of, kind }] of net.losses.entries()) {
      const shape = shapes[of] ?? [];
      const [rows = 1, ...row] = shape;
      const classes = row.reduce((a, b) => a * b, 1);
      if (kind === 'dot' || kind === 'given')
        this.#constants.set(`loss${i}`, this.#tensor(this.#elements.weights(i, shape), shape));
      if (kind === 'cross')
        this.#constants.set(`loss${i}`, device.tensor(this.#elements.classes(i, rows, classes), [rows]));
    }
    this.#optimizer = net.optimizer === undefined ? null : this.#makeOptimizer(net.optimizer);
  }

  async results(): Promise<Results> {
    const { calls, optimizer } = this.#net;
    const read: [string, Tensor][] = [];
    const steps = new Map<Mode, (...inputs: Tensor[]) => Promise<Named>>();
    for (const [call, mode] of calls.entries()) {
      await this.#begin(call);
      const inputs = this.#net.inputs.flatMap(({ shape, leaf = false }, i) =>
        leaf ? [] : [this.#tensor(this.#elements.input(i, call), shape)],
      );
      let step = steps.get(mode);
      if (step === undefined) steps.set(mode, (step = this.#makeStep(mode)));
      const named = await step(...inputs);
      if (optimizer?.outside === true) this.#optimizer?.step();
      read.push(
        ...Object.entries(named).map(([name, tensor]): [string, Tensor] => [`call ${call}: ${name}`, tensor]),
      );
      this.#garbage.push(...Object.values(named), ...inputs);
      if (this.#net.flush === true) await this.#device.flush();
    }
    for (const [name, leaf] of this.#leaves) {
      if (this.#statistics.has(name) || this.#optimizer !== null) read.push([name, leaf]);
      if (leaf.grad !== null) read.push([`gradient of ${name}`, leaf.grad]);
    }
    await this.#device.flush();
    return new Map(
      await Promise.all(
        read.map(async ([name, tensor]) => {
          const shape = tensor.shape.join();
          return [`${name} [${shape}]`, (await tensor.data()) as Float32Array] as const;
        }),
      ),
    );
  }

  dispose(): void {
    this.#optimizer?.dispose();
    for (const thing of this.#garbage) thing.dispose();
    for (const tensor of [...this.#leaves.values(), ...this.#constants.values()]) {
      tensor.grad?.dispose();
      tensor.dispose();
    }
  }

  /** The random numbers of a call are those of its inputs. */
  async #begin(call: number): Promise<void> {
    if (!this.#net.steps.some(({ op }) => op === 'dropout')) return;
    await this.#device.flush();
    this.#device.randomStep = 100 + (call % 2);
  }

  #makeStep(mode: Mode): (...inputs: Tensor[]) => Promise<Named> {
    if (!this.#options.compiled) {
      return (...inputs) => {
        const made: Tensor[] = [];
        const named = this.#device.scope(() => ({ named: this.#body(mode, inputs, made), made }));
        this.#garbage.push(...made);
        return Promise.resolve(named.named);
      };
    }
    const { precision = 'f32' } = this.#options;
    const step = this.#device.compile((...inputs: Tensor[]) => this.#body(mode, inputs, []), { precision });
    this.#garbage.push(step);
    return step;
  }

  /** One call: gradients cleared, forward, backward, update. `made` collects what eager code keeps. */
  #body(mode: Mode, inputs: readonly Tensor[], made: Tensor[]): Named {
    const { losses, outputs, clear, optimizer, keep } = this.#net;
    if (clear === true) this.#clearGradients();
    const values = this.#forward(mode, inputs);
    if (keep === true) made.push(...values);
    const named: Named = Object.fromEntries(outputs.map((i) => [`value ${i}`, valueAt(values, i)]));
    const terms = losses.map((loss, i) => this.#loss(loss, i, values));
    terms.forEach((term, i) => (named[`loss ${i}`] = term));
    this.#backward(terms);
    if (optimizer !== undefined && optimizer.outside !== true) {
      this.#optimizer?.step();
      if (optimizer.again === true) {
        const again = noGrad(() => this.#forward('eval', inputs));
        if (keep === true) made.push(...again);
        for (const i of outputs) named[`value ${i} after the update`] = valueAt(again, i);
      }
    }
    return named;
  }

  #backward(terms: readonly Tensor[]): void {
    const { losses, backward } = this.#net;
    const trained = terms.flatMap((term, i) =>
      term.requiresGrad
        ? [{ term, given: losses[i]?.kind === 'given' ? this.#constants.get(`loss${i}`) : undefined }]
        : [],
    );
    const scalars = trained.filter(({ given }) => given === undefined).map(({ term }) => term);
    const total =
      scalars.length > 0 && backward !== 'each'
        ? [{ term: scalars.reduce((a, b) => add(a, b)), given: undefined }]
        : [];
    const roots =
      backward === 'each' ? trained : [...total, ...trained.filter(({ given }) => given !== undefined)];
    const all = backward === 'twice' ? [...roots, ...roots] : roots;
    all.forEach(({ term, given }, i) => term.backward(given, { retainGraph: i < all.length - 1 }));
  }

  #forward(mode: Mode, inputs: readonly Tensor[]): Tensor[] {
    const fed = [...inputs];
    const values = this.#net.inputs.map(({ leaf = false }, i) => {
      const value = leaf ? this.#leaves.get(`input${i}`) : fed.shift();
      if (value === undefined) throw new Error(`input ${i} was not given`);
      return value;
    });
    for (const step of this.#net.steps) {
      const compute = (): Tensor => runStep(step, values, (spec) => this.#leaf(spec), mode);
      values.push(step.noGrad === true ? noGrad(compute) : compute());
    }
    return values;
  }

  #loss({ of, kind }: Loss, index: number, values: readonly Tensor[]): Tensor {
    const y = valueAt(values, of);
    const constant = this.#constants.get(`loss${index}`) ?? y;
    switch (kind) {
      case 'dot':
        return sum(mul(y, constant));
      case 'given':
        return y;
      case 'square':
        return mean(mul(y, y));
      case 'sum':
        return sum(y);
      case 'cross':
        return crossEntropy(y.shape.length > 1 ? flatten(y, 1) : reshape(y, [y.numel, 1]), constant);
    }
  }

  #clearGradients(): void {
    this.#optimizer?.zeroGrad();
    for (const leaf of this.#leaves.values()) if (leaf.requiresGrad) leaf.clearGrad();
  }

  #leaf({ name }: LeafSpec): Tensor {
    const tensor = this.#leaves.get(name);
    if (tensor === undefined) throw new Error(`the case has no leaf ${name}`);
    return tensor;
  }

  #addLeaf(spec: LeafSpec): void {
    const requiresGrad = spec.statistic !== true && this.#net.frozen?.includes(spec.name) !== true;
    if (spec.statistic === true) this.#statistics.add(spec.name);
    this.#leaves.set(spec.name, this.#tensor(this.#elements.leaf(spec), spec.shape, requiresGrad));
  }

  #tensor(data: Float32Array, shape: readonly number[], requiresGrad = false): Tensor {
    return this.#device.tensor(data, shape, { requiresGrad });
  }

  #makeOptimizer({ kind }: Update): optim.Optimizer | null {
    // Inputs are left alone: who returns a view of one would see the update or not, depending on when it is read.
    const trained = [...this.#leaves]
      .filter(([name, { requiresGrad }]) => requiresGrad && !name.startsWith('input'))
      .map(([, tensor]) => tensor);
    if (trained.length === 0) return null;
    switch (kind) {
      case 'sgd':
        return new optim.SGD(trained, { lr: 0.02 });
      case 'momentum':
        return new optim.SGD(trained, { lr: 0.02, momentum: 0.8, weightDecay: 0.01 });
      case 'adam':
        // A large eps, as an update by the sign of a gradient that is rounding alone says nothing.
        return new optim.Adam(trained, { lr: 0.02, eps: 0.05 });
    }
  }
}

function valueAt(values: readonly Tensor[], i: number): Tensor {
  const value = values[i];
  if (value === undefined) throw new Error(`the case has no value ${i}`);
  return value;
}
