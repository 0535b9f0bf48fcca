// What a SceneClassifier does, apart from it so that a page loads it on demand.

import type { CheckpointSource } from '../../nn/checkpoint/given.ts';
import { openCheckpoint } from '../../nn/checkpoint/open.ts';
import type { Device } from '../../tensor/device.ts';
import { formatValue } from '../../tensor/graph/wording.ts';
import { checkOptions, oneOf, type OptionKinds } from '../../tensor/graph/options.ts';
import { elementCount } from '../../tensor/graph/shape.ts';
import type { Stereo } from '../audio/clip.ts';
import { netsOf, type Experiment, type StageSpec } from '../experiment/experiment.ts';
import { SOUND_INPUTS, type InputName } from '../features/inputs.ts';
import { soundInput } from '../features/sound.ts';
import type { Modality } from '../models/joint.ts';
import type { SampleData } from '../training/inputs.ts';
import { argmaxRow, softmaxRows } from '../training/metrics.ts';
import { extractorOf, inputOf, netFor, pictureInput } from '../training/model.ts';
import { chooseModels, definitionOf, loadModel, type LoadedModel } from './models.ts';
import { drawnPictures, framesOfImages, type DrawnPicture, type SceneImages } from './pictures.ts';
import { soundSecond, soundSeconds } from './sound.ts';
import type { ModelRelevance } from './explain.ts';
import type { SceneTeacher } from './teach/teacher.ts';
import type { TeachingPart } from './teach/embedder.ts';
import type {
  ExplainOptions,
  Explanation,
  LoadOptions,
  SceneInput,
  SceneRecording,
  SceneResult,
  StageTimes,
} from './types.ts';

/** What the nets take of one second. */
interface Second {
  readonly sound: Stereo | null;
  /** RGB bytes [2, 3, S, S], or pictures that the device reads. */
  readonly frames: Uint8Array<ArrayBuffer> | readonly [DrawnPicture, DrawnPicture] | null;
}

/** Sums of times by stage. */
class Stopwatch {
  readonly milliseconds: { -readonly [Stage in keyof StageTimes]: number } = {
    sound: 0,
    pictures: 0,
    nets: 0,
  };

  time<T>(stage: keyof StageTimes, work: () => T): T {
    const started = performance.now();
    const result = work();
    this.milliseconds[stage] += performance.now() - started;
    return result;
  }
}

/** Judges seconds by the models of a file. */
export class SceneJudge {
  readonly #device: Device;
  readonly #experiment: Experiment;
  readonly #models: ReadonlyMap<string, LoadedModel>;
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(device: Device, experiment: Experiment, models: ReadonlyMap<string, LoadedModel>) {
    this.#device = device;
    this.#experiment = experiment;
    this.#models = models;
  }

  /** See `SceneClassifier.load`. */
  static async load(
    device: Device,
    source: CheckpointSource,
    { experiment, model, ...options }: LoadOptions = {},
  ): Promise<SceneJudge> {
    const file = await openCheckpoint(source, options);
    const definition = definitionOf(file, {
      ...(experiment && { experiment }),
      ...(model !== undefined && { model }),
    });
    const models = new Map<string, LoadedModel>();
    const judge = new SceneJudge(device, definition.experiment, models);
    try {
      for (const id of Object.keys(definition.prefixes)) {
        const loaded = await loadModel(device, file, definition, id);
        models.set(id, loaded);
        options.signal?.throwIfAborted();
        await judge.#warmUp(loaded);
      }
    } catch (error) {
      judge.dispose();
      throw error;
    }
    return judge;
  }

  /** Side of the nets' frames in pixels. */
  get imageSize(): number {
    return this.#experiment.imageSize;
  }

  /** Names of the scenes, in the order of the probabilities. */
  get names(): readonly string[] {
    return this.#experiment.scenes;
  }

  /** The models of the file. */
  get models(): readonly string[] {
    return [...this.#models.keys()];
  }

  #inputsFor(has: { readonly audio: boolean; readonly video: boolean }): readonly InputName[] {
    const models = chooseModels(this.#experiment, this.#models, has);
    return [...new Set(models.flatMap(({ stage }) => this.#inputsOf(stage)))];
  }

  /** See `SceneClassifier.classify`. */
  async classify(input: SceneInput): Promise<SceneResult> {
    checkInput('classify', input);
    const { audio, images } = input;
    const [needsSound, needsFrames] = this.needs(audio !== undefined, images !== undefined);
    const watch = new Stopwatch();
    const sound = watch.time('sound', () => (needsSound ? soundOf(input) : null));
    const frames = watch.time('pictures', () =>
      images === undefined || !needsFrames ? null : this.#framesOf(images),
    );
    return this.#judgeSecond({ sound, frames }, watch);
  }

  /** See `SceneClassifier.explain`. */
  async explain(input: SceneInput, options: ExplainOptions): Promise<Explanation> {
    const kinds: OptionKinds<ExplainOptions> = { scene: oneOf(...this.names) };
    const { scene: wanted } = checkOptions('explain', options, kinds);
    checkInput('explain', input);
    const { audio, images } = input;
    const has = { audio: audio !== undefined, video: images !== undefined };
    const [needsSound, needsFrames] = this.needs(has.audio, has.video);
    const sound = needsSound ? soundOf(input) : null;
    const frames = images === undefined || !needsFrames ? null : framesOfImages(images, this.imageSize);
    const result = await this.#judgeSecond({ sound, frames });
    const scene = wanted ?? result.scene;
    const models = chooseModels(this.#experiment, this.#models, has);
    const inputs = samplesOf({ sound, frames }, this.#inputsFor(has));
    const found = await this.#inTurn(async () => {
      const found: ModelRelevance[] = [];
      for (const { relevance } of models) found.push(await relevance({ inputs }, this.names.indexOf(scene)));
      return found;
    });
    return {
      scene,
      result,
      frames: found.find((one) => one.frames !== null)?.frames ?? null,
      sound: found.find((one) => one.sound !== null)?.sound ?? null,
    };
  }

  /** See `SceneClassifier.classifyAll`. */
  async classifyAll(recording: SceneRecording): Promise<SceneResult[]> {
    checkInput('classifyAll', recording);
    const { audio, images, sampleRate } = recording;
    const given: unknown = images;
    if (given !== undefined && !Array.isArray(given))
      throw new TypeError('classifyAll takes images as a list with the pictures of each second');
    const sounds =
      audio === undefined ? null : soundSeconds({ audio, ...(sampleRate !== undefined && { sampleRate }) });
    const seconds = sounds?.length ?? images?.length ?? 0;
    if (sounds !== null && images !== undefined && images.length !== seconds)
      throw new RangeError(`the sound has ${seconds} whole seconds, there are pictures of ${images.length}`);
    const [needsSound, needsFrames] = this.needs(sounds !== null, images !== undefined);
    const results: SceneResult[] = [];
    for (let i = 0; i < seconds; i++) {
      const pictures = images?.[i];
      const sound = (needsSound ? sounds?.[i] : null) ?? null;
      const frames = pictures === undefined || !needsFrames ? null : this.#framesOf(pictures);
      results.push(await this.#judgeSecond({ sound, frames }));
    }
    return results;
  }

  #framesOf(images: SceneImages): NonNullable<Second['frames']> {
    return drawnPictures(images, this.imageSize) ?? framesOfImages(images, this.imageSize);
  }

  async #judgeSecond({ sound, frames }: Second, watch = new Stopwatch()): Promise<SceneResult> {
    const has = { audio: sound !== null, video: frames !== null };
    const models = chooseModels(this.#experiment, this.#models, has);
    const inputs = watch.time('sound', () => samplesOf({ sound, frames }, this.#inputsFor(has)));
    // Pictures are read here, because a frame of a video may be gone later.
    const jobs = watch.time('pictures', () =>
      models.map(({ predictor, predictDrawn }) =>
        predictDrawn === null || frames === null || frames instanceof Uint8Array
          ? () => predictor.predict({ inputs }, 1)
          : predictDrawn(inputs, frames),
      ),
    );
    return this.#inTurn(async () => {
      const logits = new Float64Array(this.names.length);
      const started = performance.now();
      for (const job of jobs) {
        const row = await (await job()).data();
        // A product of probabilities is a sum of their logarithms, up to a factor that the softmax takes out.
        row.forEach((value, i) => (logits[i] = (logits[i] ?? 0) + value));
      }
      watch.milliseconds.nets = performance.now() - started;
      return {
        ...resultOf(
          logits,
          this.names,
          models.map(({ stage }) => stage.id),
        ),
        milliseconds: watch.milliseconds,
      };
    });
  }

  /** Work on the device is done one after the other. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      this.#checkAlive();
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** See `SceneClassifier.teacher`. */
  async teacher(): Promise<SceneTeacher> {
    this.#checkAlive();
    const { SceneTeacher } = await import('./teach/teacher.ts');
    const parts = (['audio', 'video'] as const).flatMap((part) => this.#teachingPart(part) ?? []);
    return new SceneTeacher({
      device: this.#device,
      experiment: this.#experiment,
      parts,
      modelOf: (wanted) => this.#modelOf(wanted),
      inputsOf: (input) => this.#inputsForTeaching(input, parts),
      inTurn: (work) => this.#inTurn(work),
    });
  }

  #modelOf(wanted: readonly Modality[]): LoadedModel['model'] | null {
    const found = [...this.#models.values()].find(({ model }) => model.parts.join() === wanted.join());
    return found?.model ?? null;
  }

  /** The extractor of the last model that has one of this modality: the last stage trained it longest. */
  #teachingPart(part: Modality): TeachingPart | null {
    for (const { model, stage } of [...this.#models.values()].reverse()) {
      const net = netFor(this.#experiment, stage.model, part);
      if (net === undefined) continue;
      const extractor = extractorOf(model, part);
      const input = inputOf(this.#experiment, net);
      return { part, net, input, extractor, picture: pictureInput(this.#experiment, stage.model) };
    }
    return null;
  }

  #inputsForTeaching(input: SceneInput, parts: readonly TeachingPart[]): SampleData['inputs'] {
    checkInput('embed', input);
    const names = parts.map(({ input: name }) => name);
    const sound = names.some((name) => name !== 'frames') ? soundOf(input) : null;
    const { images } = input;
    const frames =
      images !== undefined && names.includes('frames') ? framesOfImages(images, this.imageSize) : null;
    return samplesOf({ sound, frames }, names);
  }

  /** Gives the device's memory back. Calls that have not been judged fail. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const model of this.#models.values()) model.dispose();
  }

  #checkAlive(): void {
    if (this.#disposed) throw new Error('this SceneClassifier was disposed');
  }

  #inputsOf({ model }: StageSpec): readonly InputName[] {
    return netsOf(model).map((net) => inputOf(this.#experiment, net));
  }

  /** Whether the models that judge inputs with these modalities use sound and pictures. Throws an Error if none can judge them. */
  needs(audio: boolean, video: boolean): [sound: boolean, frames: boolean] {
    this.#checkAlive();
    const inputs = this.#inputsFor({ audio, video });
    return [inputs.some((input) => input !== 'frames'), inputs.includes('frames')];
  }

  /** Runs a model on zeros, so that its kernels are compiled. */
  async #warmUp({ stage, predictor, predictDrawn }: LoadedModel): Promise<void> {
    const { imageSize } = this;
    const inputs = Object.fromEntries(
      this.#inputsOf(stage).map((input) => [
        input,
        input === 'frames'
          ? new Uint8Array(2 * 3 * imageSize * imageSize)
          : new Float32Array(elementCount(SOUND_INPUTS[input])),
      ]),
    ) as SampleData['inputs'];
    await (await predictor.predict({ inputs }, 1)).data();
    if (predictDrawn === null || typeof OffscreenCanvas === 'undefined') return;
    const canvas = new OffscreenCanvas(imageSize, imageSize);
    canvas.getContext('2d');
    await (await predictDrawn(inputs, [canvas, canvas])()).data();
  }
}

/** What nets take, as far as the host makes it of a second. */
function samplesOf({ sound, frames }: Second, names: readonly InputName[]): SampleData['inputs'] {
  const inputs: Record<string, Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> = {};
  for (const name of names) {
    if (name !== 'frames' && sound !== null) inputs[name] = soundInput([sound], name, 'sample');
    if (name === 'frames' && frames instanceof Uint8Array) inputs[name] = frames;
  }
  return inputs;
}

/** The sound of a second at 48 kHz; null if it has none. */
const soundOf = ({ audio, sampleRate }: SceneInput): Stereo | null =>
  audio === undefined ? null : soundSecond({ audio, ...(sampleRate !== undefined && { sampleRate }) });

function checkInput(name: string, input: SceneInput | SceneRecording): void {
  const known = ['audio', 'sampleRate', 'images'];
  const given: unknown = input;
  if (typeof given !== 'object' || given === null)
    throw new TypeError(
      `${name} takes an object with audio, sampleRate and images, got ${formatValue(given)}`,
    );
  const other = Object.keys(given).find((key) => !known.includes(key));
  if (other !== undefined) throw new TypeError(`${name} takes ${known.join(', ')}, got ${other}`);
  if (input.audio === undefined && input.images === undefined)
    throw new TypeError(`${name} needs audio, images or both`);
}

function resultOf(
  logits: Float64Array,
  names: readonly string[],
  models: readonly string[],
): Omit<SceneResult, 'milliseconds'> {
  const probabilities = softmaxRows(logits, names.length);
  const best = argmaxRow(probabilities, 0, names.length);
  const scene = names[best];
  const probability = probabilities[best];
  if (scene === undefined || probability === undefined || !probabilities.every(Number.isFinite))
    throw new Error('the model gave no probabilities: its weights are damaged, or the device was lost');
  return { scene, probability, probabilities, names, models };
}
