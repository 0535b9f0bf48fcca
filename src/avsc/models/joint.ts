import { Linear } from '../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { Module, type Layer } from '../../nn/module.ts';
import { concat } from '../../tensor/ops/movement.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { formatShape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { FusionMlp } from './fusion.ts';

/** A net from an input to embeddings [N, outFeatures]. */
export type Extractor = Layer & { readonly outFeatures: number };

/** Input of an extractor, which is also its name within the nets below. */
export const MODALITIES = ['audio', 'video'] as const;
export type Modality = (typeof MODALITIES)[number];

/** Extractors that are not trained. */
export type Frozen = 'none' | Modality | 'both';

/** Whether an extractor is among the frozen ones. */
export const isFrozen = (part: Modality, frozen: Frozen): boolean => frozen === part || frozen === 'both';

/** Embeddings that are standardised before they are classified. */
interface SceneNetOptions {
  readonly standardised?: readonly Modality[];
}

/**
 * Embeddings [N, outFeatures] of sound [N, 6, mel, frames], or of clips' frames [N, F, 3, H, W]. The extractor sees all N * F
 * frames as one batch, clip by clip, and their embeddings are averaged over F. An input of rank 2 holds embeddings already
 * and is returned as it is. Throws a RangeError for frames of another rank.
 */
export function embed(part: Modality, extractor: Extractor, input: Tensor): Tensor {
  if (input.shape.length === 2) return input;
  if (part === 'audio') return extractor.forward(input);
  const [clips, count, ...image] = input.shape;
  if (clips === undefined || count === undefined || image.length !== 3) {
    throw new RangeError(`frames must be [N, frames, 3, H, W], got ${formatShape(input.shape)}`);
  }
  const each = extractor.forward(reshape(input, [clips * count, ...image]));
  return mean(reshape(each, [clips, count, extractor.outFeatures]), { dim: 1 });
}

/** Batch norm without scale and shift: embeddings of every extractor get the same mean and variance. */
function standardiser(part: Modality, extractor: Extractor, options: SceneNetOptions): BatchNorm2d | null {
  const standardised = options.standardised?.includes(part) ?? false;
  return standardised ? new BatchNorm2d(extractor.outFeatures, { affine: false }) : null;
}

/** Base of the three nets: their extractors can be frozen. */
abstract class SceneNet extends Module {
  #frozen: readonly Module[] = [];

  /**
   * Freezes extractors and unfreezes the others. A frozen extractor's parameters get no gradient, and it stays in evaluation
   * mode, so that batch norm uses its running statistics and does not update them. Call it before making the optimiser.
   */
  freeze(frozen: Frozen): this {
    this.#frozen = this.namedChildren().flatMap(([name, child]) =>
      MODALITIES.some((part) => part === name && isFrozen(part, frozen)) ? [child] : [],
    );
    this.requiresGrad_(true);
    for (const extractor of this.#frozen) extractor.requiresGrad_(false);
    return this.train(this.training);
  }

  override train(mode = true): this {
    super.train(mode);
    for (const extractor of this.#frozen) extractor.eval();
    return this;
  }
}

/** Scenes from sound alone: [N, 6, mel, frames] to logits. Its `audio` part is the joint net's. */
export class AudioNet extends SceneNet {
  readonly audio: Extractor;
  readonly audioNorm: BatchNorm2d | null;
  readonly head: Linear;

  constructor(audio: Extractor, classes: number, options: SceneNetOptions = {}) {
    super();
    this.audio = audio;
    this.audioNorm = standardiser('audio', audio, options);
    this.head = new Linear(audio.outFeatures, classes);
  }

  /** Sound, or its embeddings [N, outFeatures]. */
  forward(audio: Tensor): Tensor {
    const embedding = embed('audio', this.audio, audio);
    return this.head.forward(this.audioNorm?.forward(embedding) ?? embedding);
  }
}

/** Scenes from pictures alone: [N, frames, 3, H, W] to logits. Its `video` part is the joint net's. */
export class VideoNet extends SceneNet {
  readonly video: Extractor;
  readonly videoNorm: BatchNorm2d | null;
  readonly head: Linear;

  constructor(video: Extractor, classes: number, options: SceneNetOptions = {}) {
    super();
    this.video = video;
    this.videoNorm = standardiser('video', video, options);
    this.head = new Linear(video.outFeatures, classes);
  }

  /** Frames, or their embeddings [N, outFeatures]. */
  forward(frames: Tensor): Tensor {
    const embedding = embed('video', this.video, frames);
    return this.head.forward(this.videoNorm?.forward(embedding) ?? embedding);
  }
}

/** Scenes from both: logits of the fusion net on the two embeddings side by side, sound first. */
export class JointNet extends SceneNet {
  readonly audio: Extractor;
  readonly video: Extractor;
  readonly audioNorm: BatchNorm2d | null;
  readonly videoNorm: BatchNorm2d | null;
  readonly fusion: FusionMlp;

  constructor(audio: Extractor, video: Extractor, classes: number, options: SceneNetOptions = {}) {
    super();
    this.audio = audio;
    this.video = video;
    this.audioNorm = standardiser('audio', audio, options);
    this.videoNorm = standardiser('video', video, options);
    this.fusion = new FusionMlp(audio.outFeatures + video.outFeatures, classes);
  }

  /**
   * Audio [N, 6, mel, frames] and pictures [N, frames, 3, H, W] of the same N clips to logits [N, classes]; either may be
   * given as embeddings [N, outFeatures].
   */
  forward(audio: Tensor, frames: Tensor): Tensor {
    const sound = embed('audio', this.audio, audio);
    const sight = embed('video', this.video, frames);
    const embeddings = [this.audioNorm?.forward(sound) ?? sound, this.videoNorm?.forward(sight) ?? sight];
    return this.fusion.forward(concat(embeddings, 1));
  }
}
