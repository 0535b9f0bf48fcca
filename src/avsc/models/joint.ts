import { Linear } from '../../nn/layers/linear.ts';
import { Module, type Layer } from '../../nn/module.ts';
import { concat } from '../../tensor/ops/movement.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { formatShape } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { FusionMlp } from './fusion.ts';

/** A net from an input to embeddings [N, outFeatures]. */
export type Extractor = Layer & { readonly outFeatures: number };

/** Extractors that are not trained. */
export type Frozen = 'none' | 'audio' | 'video' | 'both';

/**
 * Embedding of clips [N, outFeatures] from frames [N, F, 3, H, W]: the mean over a clip's frames. The extractor sees
 * all N * F frames as one batch, clip by clip.
 */
function embedFrames(extractor: Extractor, frames: Tensor): Tensor {
  const [clips, count, ...image] = frames.shape;
  if (clips === undefined || count === undefined || image.length !== 3) {
    throw new RangeError(`frames must be [N, frames, 3, H, W], got ${formatShape(frames.shape)}`);
  }
  const each = extractor.forward(reshape(frames, [clips * count, ...image]));
  return mean(reshape(each, [clips, count, extractor.outFeatures]), { dim: 1 });
}

/** Scenes from sound alone: [N, 6, mel, frames] to logits. Its `audio` part is the joint net's. */
export class AudioNet extends Module {
  readonly audio: Extractor;
  readonly head: Linear;

  constructor(audio: Extractor, classes: number) {
    super();
    this.audio = audio;
    this.head = new Linear(audio.outFeatures, classes);
  }

  forward(audio: Tensor): Tensor {
    return this.head.forward(this.audio.forward(audio));
  }
}

/** Scenes from pictures alone: [N, frames, 3, H, W] to logits. Its `video` part is the joint net's. */
export class VideoNet extends Module {
  readonly video: Extractor;
  readonly head: Linear;

  constructor(video: Extractor, classes: number) {
    super();
    this.video = video;
    this.head = new Linear(video.outFeatures, classes);
  }

  forward(frames: Tensor): Tensor {
    return this.head.forward(embedFrames(this.video, frames));
  }
}

/** Scenes from both: logits of the fusion net on the two embeddings side by side, sound first. */
export class JointNet extends Module {
  readonly audio: Extractor;
  readonly video: Extractor;
  readonly fusion: FusionMlp;
  #frozen: readonly Extractor[] = [];

  constructor(audio: Extractor, video: Extractor, classes: number) {
    super();
    this.audio = audio;
    this.video = video;
    this.fusion = new FusionMlp(audio.outFeatures + video.outFeatures, classes);
  }

  /**
   * Freezes extractors (and unfreezes the others): their parameters get no gradient, and they stay in evaluation mode, so
   * that batch norm uses its running statistics and nothing in them changes. Call it before making the optimiser.
   */
  freeze(part: Frozen): this {
    this.#frozen = [
      ...(part === 'audio' || part === 'both' ? [this.audio] : []),
      ...(part === 'video' || part === 'both' ? [this.video] : []),
    ];
    this.requiresGrad_(true);
    for (const extractor of this.#frozen) extractor.requiresGrad_(false);
    return this.train(this.training);
  }

  override train(mode = true): this {
    super.train(mode);
    for (const extractor of this.#frozen) extractor.eval();
    return this;
  }

  /** Audio [N, 6, mel, frames] and pictures [N, frames, 3, H, W] of the same N clips to logits [N, classes]. */
  forward(audio: Tensor, frames: Tensor): Tensor {
    return this.fusion.forward(concat([this.audio.forward(audio), embedFrames(this.video, frames)], 1));
  }
}
