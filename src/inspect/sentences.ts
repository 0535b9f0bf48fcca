import type { FusionReason } from '../tensor/plan/fuse/reasons.ts';

/** Why a dispatch does more, or something else, than the kernel of one op; those beside fusion's own are found in the plan. */
export type Reason =
  FusionReason | 'biasInStore' | 'allParameters' | 'splitSum' | 'splitForTime' | 'copiedForRoles';

/** What each reason means, in one sentence. */
export const SENTENCES: Readonly<Record<Reason, string>> = {
  normInLoad:
    'Batch norm is applied where this kernel loads its input (scale x + shift), so the normalized map never lies in memory.',
  normReluInLoad:
    'Batch norm and ReLU are applied where this kernel loads its input (max(0, scale x + shift)), so the activation never lies in memory.',
  correctionInLoad:
    "Batch norm's backward subtracts two means of the gradient; this kernel does so where it loads the gradient, instead of a pass of its own.",
  averageSpreadInLoad:
    "An average's backward gives each element a share of one value; this kernel reads that value instead of a map of the shares.",
  partReadInPlace:
    'The kernel reads its channels where they lie in the buffer of the concatenation: no copy.',
  writtenInSlot:
    "The result is written straight to its channels in the buffer of the concatenation, so that op's copy does not exist.",
  statisticsInEpilogue:
    'The kernel sums up mean and variance of the channels it writes, so batch norm need not read the map for them.',
  normBackwardInEpilogue:
    "The ReLU's mask and the two sums of batch norm's backward are computed while the gradient is at hand, before it is written.",
  gradientAccumulated:
    'The gradient is added to that of the other readers of these channels in the same kernel, instead of an add of its own.',
  statisticsMeasured:
    'Mean and variance of the channels are measured by a kernel of their own: what wrote the map could not measure it.',
  statisticsJoined:
    'Partial means and variances are joined in a fixed order into the scale and shift of each channel.',
  statisticsShared:
    'Some channels were measured for an earlier batch norm: the batch statistics of a channel are the same for every norm that reads it.',
  runningStatistics:
    'Scale and shift of each channel are computed once from the running statistics; readers of the norm apply them.',
  sumsJoined:
    "The partial sums are joined into the gradients of batch norm's weight and bias, and into the coefficients of its correction.",
  averageFirst:
    'A 1x1 convolution and an average commute, so the average goes first: a fraction of the arithmetic for the same result.',
  averageFirstBackward:
    'The convolution ran on the averaged map, so its backward does too: a fraction of the arithmetic for the same gradient.',
  dropoutWithNorm:
    'Batch norm, ReLU and dropout are one pass: a convolution would draw the dropout anew for each tap of its window.',
  materialized:
    'The value is written to memory, because this reader has no load that could compute it on the way.',
  visible: 'The value is written to memory, because something outside the plan may ask for it.',
  correctedOnce:
    'The corrected gradient is written to memory once: on this adapter that takes less time than a correction in the load of each reader.',
  copiedToSlot:
    'The value is copied to its channels in the buffer of the concatenation: the kernel that made it could not write there.',
  biasInStore: 'The bias is added before the result is stored, instead of an add of its own.',
  allParameters:
    'One dispatch updates all parameters of the optimizer: they, their gradients and their moments lie in one vector each.',
  splitSum:
    'The terms of each sum were shared out among several workgroups; this kernel adds their parts in a fixed order.',
  splitForTime:
    'The work is split into several dispatches, so that none keeps the GPU busy for so long that the system would reset it.',
  copiedForRoles:
    'The input is copied first: WebGPU forbids a dispatch to read and write one GPUBuffer, even at ranges apart.',
};
