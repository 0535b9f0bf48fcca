// Teaches a loaded model places of one's own: embeddings of their seconds by its extractors, and a new head on them.

import { Linear } from '../../../nn/layers/linear.ts';
import type { HostTensor, StateDict } from '../../../nn/state.ts';
import type { Device } from '../../../tensor/device.ts';
import { manualSeed } from '../../../tensor/graph/random.ts';
import { checkOptions, flag, fn, number, whole, type OptionKinds } from '../../../tensor/graph/options.ts';
import type { Experiment } from '../../experiment/experiment.ts';
import type { Modality } from '../../models/joint.ts';
import { FusionMlp } from '../../models/heads/mlp.ts';
import type { SampleData } from '../../training/inputs.ts';
import type { SceneModel } from '../../training/model.ts';
import type { ListenOptions, SceneInput } from '../types.ts';
import type { Row } from './batches.ts';
import { Embedder, type TeachingPart } from './embedder.ts';
import { taughtExperiment, TEACH_MIXUP } from './experiment.ts';
import { checkPlaces, sharedModalities, splitPlaces, type LabelledSecond } from './split.ts';
import { standardize, standardOf, type Standard } from './standardize.ts';
import { SceneTraining, type Head } from './training.ts';
import type { TaughtPlace, TaughtSecond, TeachOptions } from './types.ts';

/** What a teacher needs of the classifier whose extractors it uses. */
interface Teachable {
  readonly device: Device;
  readonly experiment: Experiment;
  readonly parts: readonly TeachingPart[];
  /** The model of these modalities, whose head can be learned on. Null if the file has none. */
  readonly modelOf: (parts: readonly Modality[]) => SceneModel | null;
  /** What the extractors take of a second. Throws as `classify` does. */
  readonly inputsOf: (input: SceneInput) => SampleData['inputs'];
  /** Runs work after what the classifier is doing. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

interface Drawing {
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
  readonly onAugmented: TeachOptions['onAugmented'] | undefined;
}

const OPTIONS: OptionKinds<TeachOptions> = {
  seed: number('a whole number from 0 to 2^32 - 1', (value) => value >>> 0 === value),
  steps: whole(1),
  batchSize: whole(2),
  learningRate: number('a number above 0', (value) => value > 0 && Number.isFinite(value)),
  mixup: flag,
  augmentation: flag,
  copies: whole(1),
  resume: flag,
  every: whole(1),
  onAugmented: fn,
  signal: { what: 'an AbortSignal', accepts: (value) => value instanceof AbortSignal },
};

/**
 * Teaches places by the frozen extractors of a `SceneClassifier`, which must live as long. Seconds are plain data: a program keeps them, and
 * gives them to `train`. `dispose` it to give the device's memory back.
 */
export class SceneTeacher {
  readonly #from: Teachable;
  readonly #embedders: ReadonlyMap<Modality, Embedder>;
  /** Augmented embeddings, which depend on (seed, version, key) alone. */
  readonly #augmented = new WeakMap<TaughtSecond, Map<string, TaughtSecond['embeddings']>>();

  /** Only for `SceneClassifier.teacher`. */
  constructor(from: Teachable) {
    this.#from = from;
    this.#embedders = new Map(from.parts.map((part) => [part.part, new Embedder(from.device, part)]));
  }

  /** What the extractors hear and see. */
  get modalities(): readonly Modality[] {
    return [...this.#embedders.keys()];
  }

  /** Names of the scenes of the loaded model. */
  get names(): readonly string[] {
    return this.#from.experiment.scenes;
  }

  /**
   * What the extractors make of one second, by those whose input it has. Throws a TypeError, RangeError or Error of one sentence, as
   * `SceneClassifier.classify` does.
   */
  async embed(input: SceneInput): Promise<TaughtSecond> {
    const inputs = this.#from.inputsOf(input);
    const embedders = [...this.#embedders].filter(([, { part }]) => inputs[part.input] !== undefined);
    if (embedders.length === 0)
      throw new Error(
        `the model takes ${this.modalities.join(' and ')}, and the second has nothing for it: give audio, images or both`,
      );
    return this.#from.inTurn(async () => {
      const embeddings: Partial<Record<Modality, Float32Array<ArrayBuffer>>> = {};
      for (const [part, embedder] of embedders) embeddings[part] = await embedder.embed(inputs);
      return { embeddings, inputs };
    });
  }

  /**
   * The seconds of a camera, a microphone or both, in a page, as `embed` takes them; none is left out for lack of time while the loop does
   * not wait. Ends as `SceneClassifier.listen` does. Throws an Error of one sentence if the stream has nothing for the extractors.
   */
  async *seconds(stream: MediaStream, options: ListenOptions = {}): AsyncGenerator<SceneInput, void, void> {
    const { listenTo } = await import('../listen.ts');
    const needs = (sound: boolean, pictures: boolean): readonly [boolean, boolean] => {
      const wanted = [
        sound && this.#embedders.has('audio'),
        pictures && this.#embedders.has('video'),
      ] as const;
      if (wanted.includes(true)) return wanted;
      throw new Error(`the model takes ${this.modalities.join(' and ')}, which the stream does not have`);
    };
    const judge = { classify: () => Promise.resolve({}), needs };
    for await (const { input } of listenTo(judge, stream, options)) yield input;
  }

  /** A hash of each extractor and of what it takes, in hex: seconds are for models whose extractors have the same ones. */
  async keys(): Promise<Partial<Record<Modality, string>>> {
    const { imageSize } = this.#from.experiment;
    const keys: Partial<Record<Modality, string>> = {};
    for (const { part, input, extractor } of this.#from.parts) {
      const about: BlobPart[] = [JSON.stringify(input === 'frames' ? [input, imageSize] : [input])];
      for (const [name, { shape, data }] of await extractor.stateDict())
        about.push(JSON.stringify([name, shape]), data as BlobPart);
      const digest = await crypto.subtle.digest('SHA-256', await new Blob(about).arrayBuffer());
      keys[part] = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }
    return keys;
  }

  /**
   * A training on the seconds of two places or more. With sound and pictures in every second it is of the paper's MLP on both embeddings, and
   * else of a linear head on the embeddings that every second has. Whole recordings are held out of a place that has several, and else the
   * last 30 % of its seconds. The same places, options and device give the same bits. Throws a TypeError, RangeError or Error of one sentence,
   * and the signal's reason.
   */
  async train(places: readonly TaughtPlace[], options: TeachOptions = {}): Promise<SceneTraining> {
    const checked = checkOptions('train', options, OPTIONS);
    const { seed = 1, steps = 300, batchSize = 16, learningRate = 1e-3, every = 10, signal } = checked;
    const { mixup = false, augmentation = false, copies = 4, resume = false, onAugmented } = checked;
    checkPlaces(places);
    const shared = sharedModalities(places).filter((part) => this.#embedders.has(part));
    const parts = this.#from.parts.filter(({ part }) => shared.includes(part));
    if (parts.length === 0) throw new Error(`the model has no net for ${sharedModalities(places).join()}`);
    checkSizes(places, parts);
    const split = splitPlaces(places);
    const names = places.map(({ name }) => name);
    const by = { seed, steps, batchSize, learningRate, mixup, augmentation };
    const experiment = taughtExperiment(this.#from.experiment, parts, names, split.training.length, by);
    const before = resume ? await this.#learnedBefore(parts, names) : null;
    const versions = await this.#versions(split.training, parts, augmentation ? copies : 0, {
      seed,
      signal,
      onAugmented,
    });
    const standards = parts.map(
      ({ part, extractor }): Standard =>
        before?.standards.get(part) ??
        standardOf(
          split.training.map(({ second }) => embeddingOf(second, part)),
          extractor.outFeatures,
        ),
    );
    const rowOf = (embeddings: TaughtSecond['embeddings']): Float32Array<ArrayBuffer> =>
      joined(embeddings, parts, standards);
    const training = split.training.map(({ second, label, key }, i): Row => ({
      versions: [second.embeddings, ...(versions[i] ?? [])].map(rowOf),
      label,
      key,
    }));
    const heldOut = split.heldOut.map(({ second, label, key }): Row => ({
      versions: [rowOf(second.embeddings)],
      label,
      key,
    }));
    const features = parts.reduce((sum, { extractor }) => sum + extractor.outFeatures, 0);
    manualSeed(seed);
    const head: Head =
      parts.length > 1 ? new FusionMlp(features, names.length) : new Linear(features, names.length);
    if (before !== null) head.loadStateDict(before.head);
    head.to(this.#from.device);
    return new SceneTraining({
      device: this.#from.device,
      head,
      headPrefix: headPrefix(parts),
      rest: () => restOf(parts, standards),
      experiment,
      training,
      heldOut,
      ...{ steps, batchSize, learningRate, seed, every, signal },
      mixup: mixup ? TEACH_MIXUP : null,
    });
  }

  /** Gives the device's memory back; the classifier stays. */
  dispose(): void {
    for (const embedder of this.#embedders.values()) embedder.dispose();
  }

  /** Embeddings of `copies` augmented versions of each second. */
  async #versions(
    seconds: readonly LabelledSecond[],
    parts: readonly TeachingPart[],
    copies: number,
    { seed, signal, onAugmented }: Drawing,
  ): Promise<TaughtSecond['embeddings'][][]> {
    const all: TaughtSecond['embeddings'][][] = [];
    for (const [i, { second, key }] of seconds.entries()) {
      const own: TaughtSecond['embeddings'][] = [];
      for (let version = 1; version <= copies; version++) {
        signal?.throwIfAborted();
        own.push(await this.#augment(second, parts, { seed, version, key }));
        onAugmented?.(i * copies + version, seconds.length * copies);
      }
      all.push(own);
    }
    return all;
  }

  async #augment(
    second: TaughtSecond,
    parts: readonly TeachingPart[],
    draw: { readonly seed: number; readonly version: number; readonly key: number },
  ): Promise<TaughtSecond['embeddings']> {
    const known = this.#augmented.get(second) ?? new Map<string, TaughtSecond['embeddings']>();
    this.#augmented.set(second, known);
    const name = [draw.seed, draw.version, draw.key, ...parts.map(({ part }) => part)].join();
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = await this.#from.inTurn(async () => {
      const embeddings: Partial<Record<Modality, Float32Array<ArrayBuffer>>> = {};
      for (const { part } of parts) {
        const embedder = this.#embedders.get(part);
        if (embedder) embeddings[part] = await embedder.augmented(second.inputs, draw);
      }
      return embeddings;
    });
    known.set(name, made);
    return made;
  }

  /** The head of the loaded model and the statistics before it. Throws an Error of one sentence if it is of other places or another kind. */
  async #learnedBefore(
    parts: readonly TeachingPart[],
    names: readonly string[],
  ): Promise<{ readonly head: StateDict; readonly standards: ReadonlyMap<Modality, Standard> }> {
    const { scenes } = this.#from.experiment;
    if (scenes.length !== names.length || scenes.some((scene, i) => scene !== names[i]))
      throw new Error(
        `the loaded model knows ${scenes.slice(0, 10).join(', ')}, not ${names.slice(0, 10).join(', ')}: train a new head, without resume`,
      );
    const model = this.#from.modelOf(parts.map(({ part }) => part));
    const state = model && (await model.net.stateDict());
    const prefix = headPrefix(parts);
    const head = new Map(
      [...(state ?? [])].flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
      ),
    );
    const standards = new Map(
      parts.flatMap(({ part }) => {
        const [mean, variance] = ['mean', 'var'].map(
          (what) => state?.get(`${part}_norm.running_${what}`)?.data,
        );
        if (!(mean instanceof Float32Array && variance instanceof Float32Array)) return [];
        return [[part, { mean: Float32Array.from(mean), variance: Float32Array.from(variance) }] as const];
      }),
    );
    if (head.size > 0 && standards.size === parts.length) return { head, standards };
    throw new Error('the loaded model was not taught here: train a new head, without resume');
  }
}

const headPrefix = (parts: readonly TeachingPart[]): string => (parts.length > 1 ? 'fusion.' : 'head.');

/** Standardized embeddings side by side, sound first. */
function joined(
  embeddings: TaughtSecond['embeddings'],
  parts: readonly TeachingPart[],
  standards: readonly Standard[],
): Float32Array<ArrayBuffer> {
  const row = new Float32Array(standards.reduce((sum, { mean }) => sum + mean.length, 0));
  let at = 0;
  parts.forEach(({ part }, i) => {
    const standard = standards[i];
    const embedding = embeddings[part];
    if (standard === undefined || embedding === undefined) throw new RangeError(`a second has no ${part}`);
    standardize(embedding, standard, row.subarray(at, at + embedding.length));
    at += embedding.length;
  });
  return row;
}

/** The extractors and the statistics before the head. */
async function restOf(parts: readonly TeachingPart[], standards: readonly Standard[]): Promise<StateDict> {
  const state = new Map<string, HostTensor>();
  for (const [i, { part, extractor }] of parts.entries()) {
    for (const [name, tensor] of await extractor.stateDict()) state.set(`${part}.${name}`, tensor);
    const standard = standards[i];
    if (standard === undefined) continue;
    const shape = [standard.mean.length];
    state.set(`${part}_norm.running_mean`, { shape, data: standard.mean });
    state.set(`${part}_norm.running_var`, { shape, data: standard.variance });
  }
  return state;
}

function embeddingOf({ embeddings }: TaughtSecond, part: Modality): Float32Array {
  const found = embeddings[part];
  if (found === undefined) throw new RangeError(`a second has no embedding of its ${part}`);
  return found;
}

/** Throws an Error of one sentence if embeddings are not of these extractors. */
function checkSizes(places: readonly TaughtPlace[], parts: readonly TeachingPart[]): void {
  for (const { name, recordings } of places)
    for (const second of recordings.flat())
      for (const { part, extractor } of parts) {
        const row = embeddingOf(second, part);
        if (row.length === extractor.outFeatures && row.every(Number.isFinite)) continue;
        throw new Error(
          `${name} has a second whose ${part} embedding of ${row.length} values is not of this model, whose net gives ${extractor.outFeatures}: record it again`,
        );
      }
}
