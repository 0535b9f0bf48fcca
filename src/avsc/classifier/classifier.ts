// The scene classifier as a whole: from a file of weights to the probabilities of scenes.

import type { CheckpointSource } from '../../nn/checkpoint/given.ts';
import type { Device } from '../../tensor/device.ts';
import type { SceneJudge } from './judge.ts';
import type * as Listening from './listen.ts';
import type { SceneTeacher } from './teach/teacher.ts';
import type {
  ExplainOptions,
  Explanation,
  ListenOptions,
  ListenResult,
  LoadOptions,
  SceneInput,
  SceneRecording,
  SceneResult,
} from './types.ts';

const listening = (): Promise<typeof Listening> => import('./listen.ts');

/**
 * Judges scenes by sound, pictures or both, with the models of one file: a run's model.safetensors, or what `wavelight export RUN --format
 * safetensors` writes (with `--all`: also for sound alone and pictures alone). `dispose` it to give the device's memory back.
 */
export class SceneClassifier {
  readonly #judge: SceneJudge;

  private constructor(judge: SceneJudge) {
    this.#judge = judge;
  }

  /**
   * Loads the models of a file and compiles them. `source` and the options of opening it are those of `nn.openCheckpoint`. Throws an Error
   * of one sentence.
   */
  static async load(
    device: Device,
    source: CheckpointSource,
    options: LoadOptions = {},
  ): Promise<SceneClassifier> {
    const { SceneJudge } = await import('./judge.ts');
    return new SceneClassifier(await SceneJudge.load(device, source, options));
  }

  /** Names of the scenes, in the order of the probabilities: those that the models were trained on. */
  get names(): readonly string[] {
    return this.#judge.names;
  }

  /** Side of the nets' frames in pixels. */
  get imageSize(): number {
    return this.#judge.imageSize;
  }

  /** Ids of the models of the file. */
  get models(): readonly string[] {
    return this.#judge.models;
  }

  /**
   * Judges one second. Without `audio` or without `images` a model of the other judges, if the file has it; what no model uses is ignored.
   * Calls that overlap are judged in their order; inputs are read before this returns. Throws a TypeError, RangeError or Error of one
   * sentence.
   */
  classify(input: SceneInput): Promise<SceneResult> {
    return this.#judge.classify(input);
  }

  /**
   * Judges one second, and says what in it speaks for a scene: places of the frames by Grad-CAM, and the gradient on the sound. Throws as
   * `classify` does, and a TypeError for a scene that there is not.
   */
  explain(input: SceneInput, options: ExplainOptions = {}): Promise<Explanation> {
    return this.#judge.explain(input, options);
  }

  /**
   * Judges each second of a recording, which is resampled as a whole; a last part of less than a second is left out. Throws as `classify`
   * does, and a RangeError if there are not as many seconds of pictures as of sound.
   */
  classifyAll(recording: SceneRecording): Promise<SceneResult[]> {
    return this.#judge.classifyAll(recording);
  }

  /**
   * Judges each second of a stream of a camera, a microphone or both, in a page. A second that comes while others are still being judged is
   * dropped (`ListenResult.dropped`). Ends when the stream does, when `signal` aborts (with its reason) or when the loop is left; the stream
   * itself stays as it is. Throws an Error of one sentence if the stream has nothing that the models can judge.
   */
  async *listen(stream: MediaStream, options: ListenOptions = {}): AsyncGenerator<ListenResult, void, void> {
    yield* (await listening()).listenTo(this.#judge, stream, options);
  }

  /**
   * A teacher of places of one's own, which uses the extractors of these models: those of the last model that has them. It must be disposed
   * before this classifier.
   */
  teacher(): Promise<SceneTeacher> {
    return this.#judge.teacher();
  }

  /** Gives the device's memory back. Calls that have not been judged fail. */
  dispose(): void {
    this.#judge.dispose();
  }
}
