import { Linear } from '../../nn/layers/linear.ts';
import { BatchNorm2d } from '../../nn/layers/norm.ts';
import { Module, type Layer } from '../../nn/module.ts';
import { concat } from '../../tensor/fusing_ops.ts';
import { reshape } from '../../tensor/ops/reshape.ts';
import { mean } from '../../tensor/ops/reduce.ts';
import { formatShape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { Extractor } from './extractor.ts';
import { BaselineFusion, BaselineHead } from './heads/baseline.ts';
import { HybridFusion } from './heads/hybrid.ts';
import { FusionMlp } from './heads/mlp.ts';

export const MODALITIES = ['audio', 'video'] as const;
/**
 * Input of an extractor, which is also its name within the nets below.
 * @useDeclaredType
 */
export type Modality = (typeof MODALITIES)[number];

/** Extractors that are not trained. */
export type Frozen = 'none' | Modality | 'both';

export const HEADS = ['linear', 'baseline'] as const;
/**
 * Classifiers of one modality's embeddings: one Linear, or the challenge baseline's `BaselineHead`.
 * @useDeclaredType
 */
export type HeadKind = (typeof HEADS)[number];

export const FUSIONS = ['mlp', 'hybrid', 'baseline'] as const;
/**
 * Classifiers of two embeddings: the paper's MLP on both side by side, `HybridFusion`, or the baseline's `BaselineFusion`.
 * @useDeclaredType
 */
export type FusionKind = (typeof FUSIONS)[number];

interface SceneNetOptions {
  /** Modalities whose embeddings are standardised before they are classified. Default: none. */
  readonly standardised?: readonly Modality[];
}

export interface UnimodalNetOptions extends SceneNetOptions {
  /** Default 'linear'. */
  readonly head?: HeadKind;
}

export interface JointNetOptions extends SceneNetOptions {
  /** Default 'mlp'. */
  readonly fusion?: FusionKind;
}

/** Applied to each modality's embedding [N, outFeatures]; mixup of embeddings may return another N. */
export type Mix = (embedding: Tensor) => Tensor;

/**
 * Embeddings [N, outFeatures] of sound, or of clips' frames [N, F, 3, H, W]. The extractor sees all N * F
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

function makeHead(kind: HeadKind, features: number, classes: number): Layer {
  switch (kind) {
    case 'linear':
      return new Linear(features, classes);
    case 'baseline':
      return new BaselineHead(features, classes);
  }
}

function makeFusion(
  kind: FusionKind,
  audio: number,
  video: number,
  classes: number,
): FusionMlp | HybridFusion | BaselineFusion {
  switch (kind) {
    case 'mlp':
      return new FusionMlp(audio + video, classes);
    case 'hybrid':
      return new HybridFusion(audio, video, classes);
    case 'baseline':
      return new BaselineFusion(audio, video, classes);
  }
}

/** Base of the three nets: their extractors can be frozen. */
abstract class SceneNet extends Module {
  #frozen: readonly Module[] = [];

  /**
   * Freezes the extractors of these modalities and unfreezes everything else. A frozen part's parameters get no gradient, and it
   * stays in evaluation mode, so that batch norm uses its running statistics and does not update them. Call it before making
   * the optimizer. Modalities that the net lacks are ignored.
   */
  freeze(parts: readonly Modality[]): this {
    return this.freezeModules(
      this.namedChildren().flatMap(([name, child]) => (parts.some((part) => part === name) ? [child] : [])),
    );
  }

  protected freezeModules(frozen: readonly Module[]): this {
    this.#frozen = frozen;
    this.requiresGrad_(true);
    for (const part of frozen) part.requiresGrad_(false);
    return this.train(this.training);
  }

  override train(mode = true): this {
    super.train(mode);
    for (const part of this.#frozen) part.eval();
    return this;
  }
}

/** Embedding of an input, mixed and standardised. */
function prepared(
  part: Modality,
  extractor: Extractor,
  norm: BatchNorm2d | null,
  input: Tensor,
  mix: Mix | undefined,
): Tensor {
  const embedding = embed(part, extractor, input);
  const mixed = mix?.(embedding) ?? embedding;
  return norm?.forward(mixed) ?? mixed;
}

/** Scenes from sound alone: the extractor's input [N, ...] to logits. Its `audio` part is the joint net's. */
export class AudioNet extends SceneNet {
  readonly audio: Extractor;
  readonly audioNorm: BatchNorm2d | null;
  readonly head: Layer;

  constructor(audio: Extractor, classes: number, options: UnimodalNetOptions = {}) {
    super();
    this.audio = audio;
    this.audioNorm = standardiser('audio', audio, options);
    this.head = makeHead(options.head ?? 'linear', audio.outFeatures, classes);
  }

  /** Sound, or its embeddings [N, outFeatures]. */
  forward(audio: Tensor, mix?: Mix): Tensor {
    return this.head.forward(prepared('audio', this.audio, this.audioNorm, audio, mix));
  }
}

/** Scenes from pictures alone: [N, frames, 3, H, W] to logits. Its `video` part is the joint net's. */
export class VideoNet extends SceneNet {
  readonly video: Extractor;
  readonly videoNorm: BatchNorm2d | null;
  readonly head: Layer;

  constructor(video: Extractor, classes: number, options: UnimodalNetOptions = {}) {
    super();
    this.video = video;
    this.videoNorm = standardiser('video', video, options);
    this.head = makeHead(options.head ?? 'linear', video.outFeatures, classes);
  }

  /** Frames, or their embeddings [N, outFeatures]. */
  forward(frames: Tensor, mix?: Mix): Tensor {
    return this.head.forward(prepared('video', this.video, this.videoNorm, frames, mix));
  }
}

/** Scenes from both: logits of the fusion on the two embeddings. */
export class JointNet extends SceneNet {
  readonly audio: Extractor;
  readonly video: Extractor;
  readonly audioNorm: BatchNorm2d | null;
  readonly videoNorm: BatchNorm2d | null;
  readonly fusion: FusionMlp | HybridFusion | BaselineFusion;

  constructor(audio: Extractor, video: Extractor, classes: number, options: JointNetOptions = {}) {
    super();
    this.audio = audio;
    this.video = video;
    this.audioNorm = standardiser('audio', audio, options);
    this.videoNorm = standardiser('video', video, options);
    this.fusion = makeFusion(options.fusion ?? 'mlp', audio.outFeatures, video.outFeatures, classes);
  }

  /**
   * With `heads` also the first layers of these modalities' heads within the baseline's fusion, and the standardisation before
   * them, as the submitted baseline does. Throws a TypeError if `heads` is asked of another fusion, which has none.
   */
  override freeze(parts: readonly Modality[], { heads = false }: { readonly heads?: boolean } = {}): this {
    if (!heads) return super.freeze(parts);
    const { fusion } = this;
    if (!(fusion instanceof BaselineFusion)) {
      throw new TypeError("only the fusion 'baseline' has heads of its modalities that can be frozen");
    }
    return this.freezeModules(
      parts.flatMap((part) => {
        const norm = part === 'audio' ? this.audioNorm : this.videoNorm;
        return [this[part], fusion[part], ...(norm ? [norm] : [])];
      }),
    );
  }

  /**
   * The name in this net of a tensor of the trained AudioNet or VideoNet, from which this net begins: the extractor's and the
   * standardisation's are the same; the baseline's fusion also takes over the first layers of its head. Null for the rest.
   */
  nameOf(part: Modality, name: string): string | null {
    if (name.startsWith(`${part}.`) || name.startsWith(`${part}_norm.`)) return name;
    if (!(this.fusion instanceof BaselineFusion)) return null;
    const [, layer] = /^head\.((?:fc1|norm1|fc2)\..*)$/.exec(name) ?? [];
    return layer === undefined ? null : `fusion.${part}.${layer}`;
  }

  /**
   * Sound and pictures [N, frames, 3, H, W] of the same N clips to logits [N, classes]; either may be given as embeddings
   * [N, outFeatures].
   */
  forward(audio: Tensor, frames: Tensor, mix?: Mix): Tensor {
    const sound = prepared('audio', this.audio, this.audioNorm, audio, mix);
    const sight = prepared('video', this.video, this.videoNorm, frames, mix);
    const { fusion } = this;
    return fusion instanceof FusionMlp
      ? fusion.forward(concat([sound, sight], 1))
      : fusion.forward(sound, sight);
  }
}
