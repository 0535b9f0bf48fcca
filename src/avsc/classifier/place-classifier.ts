// Published weights of picture nets, such as those of Places365, judging the pictures of each second.

import type { CheckpointFile } from '../../nn/checkpoint/checkpoint.ts';
import type { CheckpointSource } from '../../nn/checkpoint/given.ts';
import { openCheckpoint } from '../../nn/checkpoint/open.ts';
import type { OpenOptions } from '../../nn/checkpoint/options.ts';
import type { Device } from '../../tensor/device.ts';
import { argmaxRow } from '../training/metrics.ts';
import { ARCHITECTURES } from '../weights/architectures.ts';
import type { Architecture } from '../weights/architecture.ts';
import { pictureClassifier, type PictureClassifier } from '../weights/classify.ts';
import { importWeights, readStateDict } from '../weights/import.ts';
import { MEAN_IMAGE, zeroMeanImage } from '../weights/squeezenet.ts';
import { framesOfImages } from './pictures.ts';
import type { Heard, ListenOptions, SceneInput, SceneResult } from './types.ts';

export interface PlaceOptions extends OpenOptions {
  /** Names of the classes, in their order (`parseCategories`). Default: "class 0" and so on. */
  readonly names?: readonly string[];
}

export interface PlaceResult extends Pick<SceneResult, 'probability' | 'probabilities' | 'milliseconds'> {
  /** Name of the likeliest class. */
  readonly scene: string;
  readonly names: readonly string[];
}

/**
 * Judges pictures by a net with published weights: the mean of the probabilities of a second's two pictures. `dispose` it to give the
 * device's memory back. The SqueezeNet's mean picture is taken as zero, since it lies in a file of its own.
 */
export class PlaceClassifier {
  readonly #net: PictureClassifier;
  readonly #architecture: Architecture;
  readonly names: readonly string[];

  private constructor(net: PictureClassifier, architecture: Architecture, names: readonly string[]) {
    this.#net = net;
    this.#architecture = architecture;
    this.names = names;
  }

  /**
   * Loads weights in any format of `nn.openCheckpoint`, and finds out of which net they are. Throws an Error of one sentence if they are
   * of none, and a RangeError if `names` are not as many as the classes.
   */
  static async load(
    device: Device,
    source: CheckpointSource,
    { names, ...options }: PlaceOptions = {},
  ): Promise<PlaceClassifier> {
    const file = await openCheckpoint(source, options);
    const { architecture, classes, tensors } = recognize(file);
    if (names !== undefined && names.length !== classes)
      throw new RangeError(`there are ${names.length} names for ${classes} classes`);
    const state = await readStateDict(tensors);
    options.signal?.throwIfAborted();
    const net = pictureClassifier(device, architecture, state);
    const place = new PlaceClassifier(
      net,
      architecture,
      names ?? Array.from({ length: classes }, (_, i) => `class ${i}`),
    );
    // Compiles the kernels.
    await net.classify(new Uint8Array(3 * place.imageSize ** 2));
    return place;
  }

  /** Name of the net that the weights are of. */
  get architecture(): string {
    return this.#architecture.name;
  }

  /** Side of the net's picture in pixels. */
  get imageSize(): number {
    return pictureSize(this.#architecture);
  }

  /** Throws a TypeError if there are no pictures, or an Error of one sentence. */
  async classify({ images }: SceneInput): Promise<PlaceResult> {
    if (images === undefined) throw new TypeError(`${this.architecture} judges pictures: there are none`);
    const started = performance.now();
    const frames = framesOfImages(images, this.imageSize);
    const read = performance.now();
    const half = frames.length / 2;
    const one = await this.#net.classify(frames.subarray(0, half));
    const other = await this.#net.classify(frames.subarray(half));
    const probabilities = Float64Array.from(one, (value, i) => (value + (other[i] ?? 0)) / 2);
    const best = argmaxRow(probabilities, 0, probabilities.length);
    const [scene, probability] = [this.names[best], probabilities[best]];
    if (scene === undefined || probability === undefined || !probabilities.every(Number.isFinite))
      throw new Error('the net gave no probabilities: its weights are damaged, or the device was lost');
    const milliseconds = { sound: 0, pictures: read - started, nets: performance.now() - read };
    return { scene, probability, probabilities, names: this.names, milliseconds };
  }

  /** Judges each second of a camera, as `SceneClassifier.listen` does. */
  async *listen(
    stream: MediaStream,
    options: ListenOptions = {},
  ): AsyncGenerator<Heard<PlaceResult>, void, void> {
    const { listenTo } = await import('./listen.ts');
    const needs = (_: boolean, hasPictures: boolean): readonly [boolean, boolean] => {
      if (!hasPictures) throw new Error(`${this.architecture} judges pictures: the stream has none`);
      return [false, true];
    };
    yield* listenTo({ classify: (input: SceneInput) => this.classify(input), needs }, stream, options);
  }

  dispose(): void {
    this.#net.dispose();
  }
}

interface Recognized {
  readonly architecture: Architecture;
  readonly classes: number;
  readonly tensors: ReturnType<typeof importWeights>['tensors'];
}

/** The net of which the file has every tensor. */
function recognize(file: CheckpointFile): Recognized {
  const companions = new Map([[MEAN_IMAGE, zeroMeanImage()]]);
  for (const architecture of Object.values(ARCHITECTURES)) {
    if (architecture.input.kind !== 'picture') continue;
    try {
      const head = architecture.adapt(file, companions).get(architecture.head[0] ?? '');
      const classes = head?.shape[0];
      if (classes === undefined || classes < 2 || classes > MAX_CLASSES) continue;
      const { tensors } = importWeights(file, architecture, { classes, companions });
      return { architecture, classes, tensors };
    } catch {
      // Weights of another net.
    }
  }
  throw new Error(
    'the file is neither a model of this program nor weights of a picture net that it knows (ResNet18 and 50, DenseNet161, ResNeSt50, SqueezeNet 1.1)',
  );
}

/** Upper bound on a head, so that a hostile file cannot ask for any amount of memory. */
const MAX_CLASSES = 100_000;

function pictureSize({ input }: Architecture): number {
  if (input.kind !== 'picture') throw new TypeError('the net takes no pictures');
  return input.size;
}
