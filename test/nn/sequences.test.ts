import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  crossEntropy,
  mean,
  mul,
  nn,
  noGrad,
  optim,
  relu,
  type Device,
  type StepInput,
  type Tensor,
} from '../../src/index.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues, type HashKind } from '../support/hash.ts';
import { hashWeights } from '../support/nets.ts';
import { readJson } from '../support/oracle.ts';

/*
 * Programs of calls (tools/sequence_cases.py, where the operations are explained) against PyTorch in f64: losses, parameters,
 * gradients and running statistics at each check within 1e-5 in the relative 2-norm, or ten times PyTorch's own f32 distance. Each
 * program runs eagerly and with its steps in compiled functions of every partition.
 */
const WAYS = {
  /** Everything has run before the next operation is called. */
  'eager, awaited': { compiled: [], upTo: 'operation', awaited: true },
  /** Nothing is awaited between two checks. */
  eager: { compiled: [], upTo: 'operation', awaited: false },
  'passes compiled': { compiled: ['pass'], upTo: 'operation', awaited: false },
  'passes and updates compiled by themselves': {
    compiled: ['zero', 'pass', 'clip', 'step'],
    upTo: 'operation',
    awaited: false,
  },
  'steps compiled': { compiled: ['zero', 'pass', 'clip', 'step'], upTo: 'next', awaited: false },
  'several steps in one compiled function': {
    compiled: ['zero', 'pass', 'clip', 'step'],
    upTo: 'check',
    awaited: false,
  },
} as const;

type Operation = readonly [string, ...(string | number | null | readonly string[] | Operation)[]];

interface Program {
  readonly group: string;
  readonly name: string;
  readonly program: readonly Operation[];
  readonly checks: readonly {
    readonly f32: number;
    readonly tensors: Readonly<Record<string, readonly number[]>>;
  }[];
}

class Net extends nn.Module {
  readonly conv = new nn.Conv2d(2, 3, 2, { bias: false });
  readonly norm = new nn.BatchNorm2d(3);
  readonly head = new nn.Linear(3, 2);

  features(x: Tensor): Tensor {
    return mean(relu(this.norm.forward(this.conv.forward(x))), { dim: [2, 3] });
  }

  loss(x: Tensor, labels: Tensor, kind: string): Tensor {
    const features = this.features(x);
    if (kind === 'body') return mean(mul(features, features));
    return crossEntropy(this.head.forward(kind === 'head' ? features.detach() : features), labels);
  }
}

const MAKERS: Readonly<Record<string, (p: Tensor[], lr: number) => optim.Optimizer>> = {
  sgd: (p, lr) => new optim.SGD(p, { lr }),
  momentum: (p, lr) => new optim.SGD(p, { lr, momentum: 0.9, weightDecay: 0.01 }),
  nesterov: (p, lr) => new optim.SGD(p, { lr, momentum: 0.8, nesterov: true }),
  adam: (p, lr) => new optim.Adam(p, { lr, eps: 1e-3 }),
  adamw: (p, lr) => new optim.AdamW(p, { lr, eps: 1e-3, weightDecay: 0.1 }),
};

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

class Machine {
  readonly #device: Device;
  readonly #way: (typeof WAYS)[keyof typeof WAYS];
  readonly #net: Net;
  readonly #optimizers = new Map<string, optim.Optimizer>();
  /** How often each optimiser was replaced: a compiled function steps the one that it was traced with. */
  readonly #made = new Map<string, number>();
  readonly #compiled = new Map<string, (...inputs: StepInput[]) => Promise<Tensor[]>>();
  readonly #disposals: (() => void)[] = [];
  #losses: Promise<Tensor | null>[] = [];
  #derived = new Map<string, Tensor>();
  #loss: Tensor | null = null;

  constructor(device: Device, way: (typeof WAYS)[keyof typeof WAYS]) {
    this.#device = device;
    this.#way = way;
    this.#net = new Net();
    this.#net.loadStateDict(hashWeights(this.#net));
    this.#net.to(device);
  }

  /** Runs a program; gives what is to be compared at each check. */
  async run(program: readonly Operation[]): Promise<Map<string, ArrayLike<number>>[]> {
    const checks: Map<string, ArrayLike<number>>[] = [];
    let group: Operation[] = [];
    const close = (): void => {
      if (group.length > 0) this.#runCompiled(group);
      group = [];
    };
    for (const operation of program) {
      const [name, ...rest] = operation;
      if ((this.#way.compiled as readonly string[]).includes(name)) {
        group.push(operation);
        // What clips is part of the step that it is for.
        if (this.#way.upTo === 'operation' && name !== 'clip') close();
        continue;
      }
      if (name === 'next' && this.#way.upTo === 'check') continue;
      close();
      if (name === 'check') checks.push(await this.#check());
      else if (name === 'refused') await this.#refused(rest[0] as Operation);
      else if (name === 'copy')
        this.#optimizer(rest[0]).loadStateDict(await this.#optimizer(rest[1]).stateDict());
      else this.#losses.push(...this.#call(operation, null).map((loss) => Promise.resolve(loss)));
      if (this.#way.awaited) await this.#device.sync();
    }
    close();
    return checks;
  }

  dispose(): void {
    for (const dispose of this.#disposals) dispose();
    this.#net.dispose();
  }

  /** One operation, eagerly or in a function that is traced, which is given its data; gives losses. */
  #call([name, ...rest]: Operation, data: readonly [Tensor, Tensor] | null): Tensor[] {
    switch (name) {
      case 'pass':
      case 'forward': {
        const [seed, kind = 'all', times = 1] = rest as [number, string?, number?];
        const [x, labels] = data ?? this.#dataTensors(seed);
        this.#loss = this.#net.loss(x, labels, kind);
        if (name === 'pass') this.#backward(times);
        return [this.#loss];
      }
      case 'backward':
        this.#backward(1);
        return [];
      case 'zero':
        this.#optimizer(rest[0]).zeroGrad();
        return [];
      case 'step':
        this.#optimizer(rest[0]).step();
        return [];
      case 'clip':
        return [this.#optimizer(rest[0]).clipGradNorm(rest[1] as number)];
      case 'optimizer':
        this.#make(...(rest as [string, string, 'all' | string[], number]));
        return [];
      case 'lr':
        this.#optimizer(rest[0]).lr = rest[1] as number;
        return [];
      case 'train':
      case 'eval':
        this.#net.train(name === 'train');
        return [];
      case 'freeze':
      case 'unfreeze':
        for (const key of rest[0] as string[]) this.#parameter(key).requiresGrad = name === 'unfreeze';
        return [];
      case 'load':
        this.#load(rest[0] as number);
        return [];
      case 'clear':
        for (const tensor of this.#net.parameters()) tensor.clearGrad();
        return [];
      case 'grad':
        this.#assignGradient(rest[0] as string, rest[1] as number | null);
        return [];
      case 'derive': {
        const [key, factor] = rest as [string, number];
        this.#derived.set(
          `derived ${key}`,
          noGrad(() => mul(this.#parameter(key).tensor, factor)),
        );
        return [];
      }
      case 'next':
        return [];
      default:
        throw new Error(`there is no operation ${name}`);
    }
  }

  #backward(times: number): void {
    for (let i = 1; i <= times; i++) this.#loss?.backward(undefined, { retainGraph: i < times });
  }

  #runCompiled(group: readonly Operation[]): void {
    const passes = group.filter(([name]) => name === 'pass');
    const inputs = passes.flatMap(([, seed]): StepInput[] => this.#data(seed as number));
    const shape = group.map(([name, ...rest]) => {
      if (name === 'pass') return [name, ...rest.slice(1)];
      return [name, ...rest, this.#made.get(rest[0] as string)];
    });
    const key = JSON.stringify(shape);
    let step = this.#compiled.get(key);
    if (step === undefined) {
      const compiled = this.#device.compile((...tensors: Tensor[]) => {
        let pass = 0;
        return group.flatMap((operation) => {
          if (operation[0] !== 'pass') return this.#call(operation, null);
          const [x, labels] = tensors.slice(2 * pass);
          pass++;
          if (x === undefined || labels === undefined) throw new Error('a pass needs its data');
          return this.#call(operation, [x, labels]);
        });
      });
      this.#disposals.push(() => compiled.dispose());
      this.#compiled.set(key, (step = compiled as (...inputs: StepInput[]) => Promise<Tensor[]>));
    }
    const results = step(...inputs);
    const losses = group.filter(([name]) => name === 'pass' || name === 'clip').length;
    // A call without losses is awaited like the others.
    for (let i = 0; i < Math.max(losses, 1); i++)
      this.#losses.push(results.then((tensors) => tensors[i] ?? null));
  }

  async #check(): Promise<Map<string, ArrayLike<number>>> {
    const losses = (await Promise.all(this.#losses)).filter((loss) => loss !== null);
    const tensors: [string, Tensor][] = [...this.#derived];
    for (const [key, tensor] of this.#net.namedParameters()) {
      tensors.push([key, tensor]);
      if (tensor.grad !== null) tensors.push([`gradient of ${key}`, tensor.grad]);
    }
    tensors.push(...this.#net.namedBuffers());
    const values = await Promise.all(losses.map((loss) => loss.item()));
    this.#losses = [];
    this.#derived = new Map();
    const found = new Map<string, ArrayLike<number>>(
      await Promise.all(tensors.map(async ([key, tensor]) => [key, await tensor.data()] as const)),
    );
    return values.length > 0 ? found.set('losses', values) : found;
  }

  /** The operation throws, or what it was to compute cannot be read. */
  async #refused(operation: Operation): Promise<void> {
    const attempt = async (): Promise<void> => {
      this.#call(operation, null);
      await this.#check();
    };
    await expect(attempt(), `${JSON.stringify(operation)} is refused`).rejects.toThrow();
  }

  #optimizer(name: unknown): optim.Optimizer {
    const optimizer = this.#optimizers.get(name as string);
    if (optimizer === undefined) throw new Error(`there is no optimiser ${String(name)}`);
    return optimizer;
  }

  #make(name: string, kind: string, keys: 'all' | string[], lr: number): void {
    const parameters = [...this.#net.namedParameters()].filter(
      ([key]) => keys === 'all' || keys.includes(key),
    );
    const make = MAKERS[kind];
    if (make === undefined) throw new Error(`there is no kind of optimiser ${kind}`);
    const optimizer = make(
      parameters.map(([, tensor]) => tensor),
      lr,
    );
    this.#disposals.push(() => optimizer.dispose());
    this.#optimizers.set(name, optimizer);
    this.#made.set(name, (this.#made.get(name) ?? 0) + 1);
  }

  #load(seed: number): void {
    const entries = [...this.#net.namedTensors()].map(([key, { shape }]) => {
      const kind: HashKind = key.endsWith('running_var') ? 'positive' : 'uniform';
      return [key, { shape, data: hashValues(`load${seed}/${key}`, count(shape), kind) }] as const;
    });
    this.#net.loadStateDict(new Map(entries));
  }

  #assignGradient(key: string, seed: number | null): void {
    const { tensor } = this.#parameter(key);
    tensor.grad =
      seed === null
        ? null
        : this.#device.tensor(hashValues(`grad${seed}/${key}`, tensor.numel, 'normal'), tensor.shape);
  }

  #parameter(key: string): nn.ModuleTensor {
    const parameter = this.#net.namedTensors().get(key);
    if (parameter === undefined) throw new Error(`the net has no parameter ${key}`);
    return parameter;
  }

  #data(seed: number): [HostTensor, HostTensor] {
    return [
      { data: hashValues(`x${seed}`, 72, 'normal'), shape: [4, 2, 3, 3] },
      { data: hashValues(`labels${seed}`, 4, 'index:2'), shape: [4] },
    ];
  }

  #dataTensors(seed: number): [Tensor, Tensor] {
    const [x, labels] = this.#data(seed);
    return [this.#device.tensor(x.data, x.shape), this.#device.tensor(labels.data, labels.shape)];
  }
}

function relativeError(actual: ArrayLike<number>, expected: readonly number[]): number {
  if (actual.length !== expected.length) return Infinity;
  let [difference, norm] = [0, 0];
  for (const [i, value] of expected.entries()) {
    difference += ((actual[i] ?? NaN) - value) ** 2;
    norm += value ** 2;
  }
  return Number.isNaN(difference) ? Infinity : Math.sqrt(difference / Math.max(norm, 1e-12));
}

function compare(found: readonly ReadonlyMap<string, ArrayLike<number>>[], checks: Program['checks']): void {
  expect(found.length).toBe(checks.length);
  for (const [i, { f32, tensors }] of checks.entries()) {
    const actual = found[i] ?? new Map<string, ArrayLike<number>>();
    expect([...actual.keys()].sort(), `what there is at check ${i}`).toEqual(Object.keys(tensors).sort());
    for (const [key, expected] of Object.entries(tensors)) {
      const error = relativeError(actual.get(key) ?? [], expected);
      expect(error, `check ${i}: relative error of ${key}`).toBeLessThanOrEqual(Math.max(1e-5, 10 * f32));
    }
  }
}

const { programs } = readJson('sequences.json') as { programs: Program[] };
const groups = [...new Set(programs.map(({ group }) => group))];

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

describe.each(groups)('%s', (group) => {
  describe.each(programs.filter((program) => program.group === group))('$name', ({ program, checks }) => {
    it.each(Object.entries(WAYS))('%s', async (_, way) => {
      const machine = new Machine(device, way);
      try {
        compare(await machine.run(program), checks);
        await device.sync();
        machine.dispose();
      } catch (error) {
        // What a failure left on the device must not fail others.
        await device.destroy().catch(() => undefined);
        device = await testDevice();
        throw error;
      }
    });
  });
});
