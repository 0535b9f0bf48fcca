import { BRAND, brandOf, refuseForeign, type Brand } from '../tensor/graph/copies.ts';
import { activeTrace, type Watched } from '../tensor/graph/guards.ts';
import { checkOptions, flag, type OptionKinds } from '../tensor/graph/options.ts';
import type { RecordingDevice } from '../tensor/graph/recording_device.ts';
import type { Tensor } from '../tensor/graph/tensor.ts';
import { ModuleTensor, Parameter } from './parameter.ts';
import { checkStateDict, type HostTensor, type LoadReport, type StateDict } from './state.ts';

/** PyTorch counts batches always, layers here only where BatchNorm averages over all of them. */
const IGNORED = 'num_batches_tracked';

export interface LoadOptions {
  /** Refuse missing and unexpected names. Default true. */
  readonly strict?: boolean;
}

const LOAD_OPTIONS: OptionKinds<LoadOptions> = { strict: flag };

/**
 * Base of layers and nets. What a module holds is found by walking its own properties in the order in which its class
 * declares them: a `Parameter`, a `Statistic`, a `Module`, or an array of modules (named 0, 1, ...). Private (#) fields are
 * not found. Names in state dicts are the properties' with camelCase written as snake_case, as PyTorch has them:
 * `runningMean` of `norm1` is `norm1.running_mean`.
 *
 * A module is made in host memory; `to(device)` moves it, which must happen before its first use.
 */
export abstract class Module {
  #training = true;
  readonly #watchedTraining: Watched = {
    peek: () => this.#training,
    restore: (training) => (this.#training = training === true),
  };

  /**
   * True while training: dropout drops, batch norm uses the batch's statistics. Set by `train` and `eval`; compiled functions that
   * look at it are traced anew when it changes.
   */
  get training(): boolean {
    activeTrace()?.noteRead(this.#watchedTraining);
    return this.#training;
  }

  set training(training: boolean) {
    activeTrace()?.noteWrite(this.#watchedTraining, training);
    this.#training = training;
  }

  /** @internal */
  get [BRAND](): Brand {
    return brandOf('module');
  }

  /** Direct sub-modules by name. Throws a TypeError for modules of another copy of the package. */
  namedChildren(): [string, Module][] {
    return Object.entries(this).flatMap(([property, value]: [string, unknown]): [string, Module][] => {
      const name = snakeCase(property);
      for (const item of Array.isArray(value) ? (value as readonly unknown[]) : [value])
        refuseForeign(`${this.constructor.name}: ${property}`, item);
      if (value instanceof Module) return [[name, value]];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item: unknown, i) => (item instanceof Module ? [[`${name}.${i}`, item]] : []));
    });
  }

  /** This module and all within it, outer ones first. */
  modules(): Module[] {
    return [this, ...this.namedChildren().flatMap(([, child]) => child.modules())];
  }

  /** Every parameter and statistic by its full name, also before the module is on a device. */
  namedTensors(): Map<string, ModuleTensor> {
    const own = Object.entries(this).flatMap(
      ([property, value]: [string, unknown]): [string, ModuleTensor][] =>
        value instanceof ModuleTensor ? [[snakeCase(property), value]] : [],
    );
    const within = this.namedChildren().flatMap(([prefix, child]) =>
      [...child.namedTensors()].map(([name, tensor]): [string, ModuleTensor] => [
        `${prefix}.${name}`,
        tensor,
      ]),
    );
    return new Map([...own, ...within]);
  }

  /** Parameters by name; one that is shared appears once. Throws an Error before `to(device)`. */
  namedParameters(): Map<string, Tensor> {
    const seen = new Set<ModuleTensor>();
    const result = new Map<string, Tensor>();
    for (const [name, entry] of this.namedTensors()) {
      if (!(entry instanceof Parameter) || seen.has(entry)) continue;
      seen.add(entry);
      result.set(name, entry.tensor);
    }
    return result;
  }

  /** Parameters, for an optimiser. Throws an Error before `to(device)`. */
  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Statistics by name. Throws an Error before `to(device)`. */
  namedBuffers(): Map<string, Tensor> {
    const buffers = [...this.namedTensors()].filter(([, entry]) => !(entry instanceof Parameter));
    return new Map(buffers.map(([name, entry]) => [name, entry.tensor]));
  }

  /** Number of elements in all parameters. */
  parameterCount(): number {
    const parameters = new Set(
      [...this.namedTensors().values()].filter((entry) => entry instanceof Parameter),
    );
    return [...parameters].reduce((sum, { numel }) => sum + numel, 0);
  }

  /**
   * Moves everything to a device; harmless when repeated. From another device, a lost one too, it moves with a state dict that the
   * host has kept, whose elements it then has; optimisers and compiled functions are to be made anew. Throws an Error where `state`
   * is missing then, and as `loadStateDict` where it does not fit, before anything is changed.
   */
  to(device: RecordingDevice, state?: StateDict): this {
    refuseForeign('to(device)', device);
    const entries = [...this.namedTensors().values()];
    if (state !== undefined) {
      this.#check(state, true);
      for (const entry of entries) entry.leave(device);
      this.loadStateDict(state);
    }
    for (const entry of entries) entry.to(device);
    return this;
  }

  train(mode = true): this {
    this.training = mode;
    for (const [, child] of this.namedChildren()) child.train(mode);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Freezes (false) or unfreezes the parameters. An optimiser takes those that require a gradient when it is made. */
  requiresGrad_(flag = true): this {
    for (const entry of this.namedTensors().values())
      if (entry instanceof Parameter) entry.requiresGrad = flag;
    return this;
  }

  /** Copies of all parameters and statistics, as they are after what was recorded so far. */
  async stateDict(): Promise<Map<string, HostTensor>> {
    const entries = [...this.namedTensors()].map(async ([name, entry]): Promise<[string, HostTensor]> => [
      name,
      { shape: entry.shape, data: await entry.read() },
    ]);
    return new Map(await Promise.all(entries));
  }

  /**
   * Replaces parameters and statistics. Entries named num_batches_tracked are ignored where nothing counts. Throws a RangeError, before
   * anything is changed, that lists all wrong shapes and, if `strict` (default), all missing and unexpected names.
   * Gives the names that did not fit.
   */
  loadStateDict(dict: StateDict, options: LoadOptions = {}): LoadReport {
    const { strict = true } = checkOptions('loadStateDict', options, LOAD_OPTIONS);
    const { given, report } = this.#check(dict, strict);
    const here = this.namedTensors();
    for (const [name, { data }] of given) {
      here.get(name)?.set(Float32Array.from(data));
    }
    return report;
  }

  #check(dict: StateDict, strict: boolean): { readonly given: StateDict; readonly report: LoadReport } {
    const here = this.namedTensors();
    const isWanted = (name: string): boolean => here.has(name) || name.split('.').at(-1) !== IGNORED;
    const given = new Map([...dict].filter(([name]) => isWanted(name)));
    return { given, report: checkStateDict(this.constructor.name, here, given, strict) };
  }

  /** Gives all device memory back. */
  dispose(): void {
    for (const entry of this.namedTensors().values()) entry.dispose();
  }
}

/** A module from one tensor to one tensor, as `Sequential` chains them. */
export abstract class Layer extends Module {
  abstract forward(x: Tensor): Tensor;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
