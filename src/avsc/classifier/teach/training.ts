// Trains the head of a model on seconds that were taught, and makes a file of the model with it.

import { writeSafetensors } from '../../../nn/checkpoint/safetensors/file.ts';
import { Adam } from '../../../nn/optim/adam.ts';
import type { Module } from '../../../nn/module.ts';
import type { HostTensor, StateDict } from '../../../nn/state.ts';
import type { CompiledFunction } from '../../../tensor/compile.ts';
import type { Device } from '../../../tensor/device.ts';
import { backward, noGrad } from '../../../tensor/graph/autograd.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import { crossEntropy } from '../../../tensor/ops/loss.ts';
import { mixRows } from '../../augment/features/mix.ts';
import type { Experiment } from '../../experiment/experiment.ts';
import type { Mixup } from '../../experiment/augmentation.ts';
import { writeDefinition } from '../../training/definition.ts';
import { describeModel } from '../../training/describe.ts';
import { measure, softmaxRows, type Metrics } from '../../training/metrics.ts';
import { createModel, findStage } from '../../training/model.ts';
import { batchAt, rowsOf, type Row } from './batches.ts';
import type { TeachProgress } from './types.ts';

/** A module from standardized embeddings [N, features], sound first, to logits [N, classes]. */
export type Head = Module & { forward(embeddings: Tensor): Tensor };

interface TrainingParts {
  readonly device: Device;
  readonly head: Head;
  /** What the head's tensors begin with in the model. */
  readonly headPrefix: string;
  /** The model's other tensors, by their names in it. */
  readonly rest: () => Promise<StateDict>;
  /** Of one stage, the taught model's. */
  readonly experiment: Experiment;
  readonly training: readonly Row[];
  /** Of the first version of each row. */
  readonly heldOut: readonly Row[];
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly mixup: Mixup | null;
  readonly seed: number;
  readonly every: number;
  readonly signal: AbortSignal | undefined;
}

/** Steps in flight: the next step waits for the loss of the oldest. */
const IN_FLIGHT = 3;

/**
 * A training that is under way. `for await (const progress of training.steps())` runs it; leaving the loop pauses it, and `steps` goes on.
 * `file` and `heldOut` are of what was learned so far. `dispose` it to give the device's memory back.
 */
export class SceneTraining {
  readonly #parts: TrainingParts;
  readonly #adam: Adam;
  readonly #step: CompiledFunction<Tensor>;
  readonly #predict: CompiledFunction<Tensor>;
  #taken = 0;
  #running = false;
  #disposed = false;

  /** Only for `SceneTeacher.train`. */
  constructor(parts: TrainingParts) {
    this.#parts = parts;
    const { device, head, learningRate } = parts;
    this.#adam = new Adam(head.parameters(), { lr: learningRate });
    this.#step = device.compile((...[rows, labels, partner, ratio]: Tensor[]) => {
      head.train();
      this.#adam.zeroGrad();
      const mixed =
        partner === undefined || ratio === undefined ? given(rows) : mixRows(given(rows), { partner, ratio });
      const loss = crossEntropy(head.forward(mixed), given(labels));
      backward(loss, undefined);
      this.#adam.step();
      return loss;
    });
    this.#predict = device.compile((...[rows]: Tensor[]) => {
      head.eval();
      return noGrad(() => head.forward(given(rows)));
    });
  }

  /** Names of the places, in the order of labels and logits. */
  get names(): readonly string[] {
    return this.#parts.experiment.scenes;
  }

  /** Seconds that are learned, and seconds that are held out. */
  get seconds(): { readonly training: number; readonly heldOut: number } {
    return { training: this.#parts.training.length, heldOut: this.#parts.heldOut.length };
  }

  /** Steps taken so far. */
  get step(): number {
    return this.#taken;
  }

  /**
   * Takes the steps that are left, with a report every `every` steps and after the last one. Throws an Error of one sentence if the loss is
   * not finite, a DeviceLostError if the device was lost, and the signal's reason.
   */
  async *steps(): AsyncGenerator<TeachProgress, void, void> {
    if (this.#running) throw new Error('this training is running already');
    this.#running = true;
    const { training, steps, every, signal, seed, batchSize, mixup } = this.#parts;
    const options = { seed, batchSize, mixup, classes: this.names.length };
    const features = training[0]?.versions[0]?.length ?? 0;
    const rows = rowsOf(options);
    const losses: Promise<number>[] = [];
    let [sum, count] = [0, 0];
    const settle = async (left: number): Promise<void> => {
      while (losses.length > left) {
        const loss = (await losses.shift()) ?? NaN;
        if (!Number.isFinite(loss))
          throw new Error(
            `the loss became ${loss} in step ${this.#taken}: train with a smaller learning rate`,
          );
        sum += loss;
        count++;
      }
    };
    try {
      while (this.#taken < steps) {
        signal?.throwIfAborted();
        this.#checkAlive();
        const batch = batchAt(training, this.#taken, options);
        const loss = await this.#step(
          { data: batch.rows, shape: [rows, features] },
          { data: batch.labels, shape: [batchSize, this.names.length] },
          ...(batch.mix === null
            ? []
            : [
                { data: batch.mix.partner, shape: [batchSize] },
                { data: batch.mix.ratio, shape: [batchSize] },
              ]),
        );
        this.#taken++;
        const value = loss.item();
        value.catch(() => undefined); // The rejection is handled where `losses` is awaited.
        losses.push(value);
        await settle(IN_FLIGHT - 1);
        if (this.#taken % every !== 0 && this.#taken < steps) continue;
        await settle(0);
        const progress = { step: this.#taken, steps, loss: sum / count, heldOut: await this.heldOut() };
        [sum, count] = [0, 0];
        yield progress;
      }
    } finally {
      await Promise.allSettled(losses);
      this.#running = false;
    }
  }

  /** How the seconds that are held out are judged now; null if there are none. */
  async heldOut(): Promise<Metrics | null> {
    this.#checkAlive();
    const { heldOut } = this.#parts;
    const [first] = heldOut;
    const features = first?.versions[0]?.length ?? 0;
    if (first === undefined) return null;
    const rows = new Float32Array(heldOut.length * features);
    heldOut.forEach(({ versions: [row] }, i) => row && rows.set(row, i * features));
    const logits = await (await this.#predict({ data: rows, shape: [heldOut.length, features] })).data();
    const labels = heldOut.map(({ label }) => label);
    return measure(softmaxRows(logits, this.names.length), labels, this.names);
  }

  /** A safetensors file of the model as it is now, extractors included: `SceneClassifier.load` and `wavelight eval` read it. */
  async file(): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkAlive();
    const { experiment, head, headPrefix, rest } = this.#parts;
    const [stage] = experiment.stages;
    if (stage === undefined) throw new Error('the experiment has no stage');
    const known = new Map<string, HostTensor>(await rest());
    for (const [name, tensor] of await head.stateDict()) known.set(headPrefix + name, tensor);
    const wanted = createModel(experiment, findStage(experiment, stage.id)).net.namedTensors();
    const tensors = [...wanted.keys()].map((name): [string, HostTensor] => {
      const tensor = known.get(name);
      if (tensor === undefined) throw new Error(`the taught model lacks ${name}`);
      return [name, tensor];
    });
    const metadata = new Map([
      ...describeModel(experiment, stage),
      writeDefinition({ experiment, prefixes: { [stage.id]: '' } }),
    ]);
    return writeSafetensors(new Map(tensors), metadata);
  }

  /** Gives the device's memory back. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#step.dispose();
    this.#predict.dispose();
    this.#adam.dispose();
    this.#parts.head.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new Error('this SceneTraining was disposed');
  }
}

function given(tensor: Tensor | undefined): Tensor {
  if (tensor === undefined) throw new RangeError('a training step needs rows and labels');
  return tensor;
}
