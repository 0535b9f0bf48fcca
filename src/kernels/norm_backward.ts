import backwardSource from '../../shaders/batch_norm_backward.wgsl';
import sumsFinishSource from '../../shaders/batch_norm_sums_finish.wgsl';
import sumsSource from '../../shaders/batch_norm_sums.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, DTYPE_BYTES, f32, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { spread, type KernelContext } from './context.ts';
import {
  elementType,
  expandParts,
  partParams,
  planFinish,
  planParts,
  planRuns,
  type NormShape,
} from './norm.ts';
import { rowPart } from './row.ts';
import { expandTemplate } from './template.ts';

interface Sums {
  /** Sum of dy * xhat: the gradient of weight. [channels]. */
  readonly dweight: BufferRef;
  /** Sum of dy: the gradient of bias. [channels]. */
  readonly dbias: BufferRef;
}

/** The two sums over each channel that every gradient of batch normalisation is made of. */
export function batchNormSums(
  context: KernelContext,
  dy: BufferRef,
  x: BufferRef,
  stats: BufferRef,
  sums: Sums,
  shape: NormShape,
): Dispatch[] {
  const { geometry } = context;
  const { batch, channels, length } = shape;
  const cut = planParts(geometry, shape);
  const rows = cut.parts * channels;
  const whole = cut.parts === 1;
  const products = whole ? sums.dweight : context.temporary(rows);
  const gradients = whole ? sums.dbias : context.temporary(rows);
  const first: Dispatch = {
    label: `batchNorm sums [${batch}, ${channels}, ${length}]`,
    code: expandParts(geometry, 'batch_norm_sums', sumsSource, shape, cut),
    params: partParams(shape, cut),
    operands: [
      { buffer: dy, access: 'read' },
      { buffer: x, access: 'read' },
      { buffer: stats, access: 'read' },
      { buffer: products, access: 'write' },
      { buffer: gradients, access: 'write' },
    ],
    workgroups: spread(geometry, cut.team ? rows : Math.ceil(rows / cut.lanes)),
    flops: 4 * x.length,
    bytes: bytesOf(dy) + bytesOf(x) + 2 * rows * DTYPE_BYTES.f32,
  };
  if (whole) return [first];
  const finish = planFinish(geometry, channels, cut.parts);
  return [
    first,
    {
      label: `batchNorm sums joined [${cut.parts}, ${channels}]`,
      code: expandTemplate('batch_norm_sums_finish', sumsFinishSource, rowPart(geometry, finish)),
      params: { rows: u32(channels), parts: u32(cut.parts) },
      operands: [
        { buffer: products, access: 'read' },
        { buffer: gradients, access: 'read' },
        { buffer: sums.dweight, access: 'write' },
        { buffer: sums.dbias, access: 'write' },
      ],
      workgroups: finish.workgroups,
      flops: 2 * rows,
      bytes: (2 * rows + 2 * channels) * DTYPE_BYTES.f32,
    },
  ];
}

interface InputGradient {
  readonly dy: BufferRef;
  readonly stats: BufferRef;
  readonly weight: BufferRef | null;
  /** Null where the statistics were the running ones, which do not depend on x. */
  readonly training: { readonly x: BufferRef; readonly sums: Sums } | null;
  readonly dx: BufferRef;
}

export function batchNormInputGradient(
  { geometry }: KernelContext,
  { dy, stats, weight, training, dx }: InputGradient,
  shape: NormShape,
): Dispatch {
  const runs = planRuns(geometry, shape);
  return {
    label: `batchNorm backward [${shape.batch}, ${shape.channels}, ${shape.length}]`,
    code: expandTemplate('batch_norm_backward', backwardSource, {
      include: { threads: threadsLibrary },
      when: { WEIGHT: weight !== null, TRAINING: training !== null },
      substitute: { ELEMENT_: elementType(shape) },
    }),
    params: { ...runs.params, inverse_count: f32(1 / (shape.batch * shape.length)) },
    operands: [
      { buffer: dy, access: 'read' },
      { buffer: training?.x ?? dy, access: 'read' },
      { buffer: stats, access: 'read' },
      { buffer: weight ?? stats, access: 'read' },
      { buffer: training?.sums.dweight ?? stats, access: 'read' },
      { buffer: training?.sums.dbias ?? stats, access: 'read' },
      { buffer: dx, access: 'write' },
    ],
    workgroups: runs.workgroups,
    flops: (training === null ? 1 : 5) * dx.length,
    bytes: bytesOf(dy) + bytesOf(dx) + (training === null ? 0 : bytesOf(training.x)),
  };
}
