import { Linear } from '../../../nn/layers/linear.ts';
import { Module } from '../../../nn/module.ts';
import { add, sub } from '../../../tensor/ops/binary.ts';
import { concat, stack } from '../../../tensor/fusing_ops.ts';
import { amax, sum } from '../../../tensor/ops/reduce.ts';
import { logSoftmax } from '../../../tensor/ops/softmax.ts';
import { exp, log } from '../../../tensor/ops/unary.ts';
import { reshape } from '../../../tensor/ops/reshape.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import { FusionMlp } from './mlp.ts';

/**
 * Early and late fusion together, after Zhang et al. (DCASE 2021, first place), whose sizes are not public:
 *
 *   early   p_e = softmax of FusionMlp on both embeddings side by side
 *   late    p_l = (p_a + p_v) / 2, p_a and p_v the softmax of a linear head on each embedding
 *   result  log((p_e + p_l) / 2)
 *
 * The result are log-probabilities, so softmax gives the probabilities and crossEntropy the loss of them.
 */
export class HybridFusion extends Module {
  readonly early: FusionMlp;
  readonly audioHead: Linear;
  readonly videoHead: Linear;

  constructor(audioFeatures: number, videoFeatures: number, classes: number) {
    super();
    this.early = new FusionMlp(audioFeatures + videoFeatures, classes);
    this.audioHead = new Linear(audioFeatures, classes);
    this.videoHead = new Linear(videoFeatures, classes);
  }

  /** From embeddings [N, audioFeatures] and [N, videoFeatures] to log-probabilities [N, classes]. */
  forward(audio: Tensor, video: Tensor): Tensor {
    const early = this.early.forward(concat([audio, video], 1));
    return logMean([
      { logits: early, share: 1 / 2 },
      { logits: this.audioHead.forward(audio), share: 1 / 4 },
      { logits: this.videoHead.forward(video), share: 1 / 4 },
    ]);
  }
}

/** log of sum(share * softmax(logits)) over the terms, whose shares sum to 1; exact for probabilities that underflow. */
function logMean(terms: readonly { readonly logits: Tensor; readonly share: number }[]): Tensor {
  const each = stack(
    terms.map(({ logits, share }) => add(logSoftmax(logits, 1), Math.log(share))),
    0,
  );
  // The largest term cancels out of the result, so no gradient passes through it.
  const largest = amax(each, { dim: 0, keepDim: true }).detach();
  return add(log(sum(exp(sub(each, largest)), { dim: 0 })), reshape(largest, terms[0]?.logits.shape ?? []));
}
