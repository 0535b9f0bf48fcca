import type { KernelContext } from '../../../kernels/context.ts';
import { wholeMap, type MomentPartials, type SumPartials } from '../../../kernels/maps.ts';
import type { NormShape } from '../../../kernels/norm.ts';
import { materialize } from '../../../kernels/map_ops.ts';
import { runningNormTable } from '../../../kernels/norm_running.ts';
import { two } from '../../../kernels/tuple.ts';
import { joinMoments, joinSums } from '../../../kernels/norm_join.ts';
import { mapMoments, normBackwardFused } from '../../../kernels/norm_fused.ts';
import type { NormOutput } from '../../../kernels/conv_fused.ts';
import { addOp } from '../../graph/basic_ops.ts';
import {
  applyOp,
  batchStatsOp,
  inputGradientOp,
  runningStatsOp,
  sumsOp,
  trackedStatsOp,
} from '../../ops/norm.ts';
import { dropoutOp } from '../../ops/random.ts';
import { RELU_OPS } from '../../ops/unary.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { LogicalStorage } from '../../graph/storage.ts';
import type { Value } from '../../graph/value.ts';
import { activationLoad, columnsOf, sameMap, type Gradient, type Norm } from './forms.ts';
import type { Fusion, MapShape } from './fusion.ts';
import { attrsOf, isInternal } from './graph.ts';

/*
 * Batch norm. In training, statistics belong to channels, not to norms: the kernel that writes a dense block's channels measures
 * them once, and each norm that reads the channels computes its table (NORM_ROWS of kernels/maps.ts) from these statistics. The
 * norm itself, with its ReLU, becomes a form that readers compute in their loads.
 *
 * Backward, all norms of a channel share xhat and invstd = r, so with G = sum over them of weight * dy (masked by the ReLU)
 *
 *   dx = r (G - mean(G) - xhat mean(G xhat)),   n mean(G) = sum weight * dbias,   n mean(G xhat) = sum weight * dweight
 *
 * is one correction for all norms with the same eps. Readers of dx apply it in their loads.
 */

const mapShape = ({ batch, channels, length }: NormShape): MapShape => ({
  images: batch,
  channels,
  pixels: length,
});

/** Statistics of the batch: a norm's table. */
export function fuseStatistics(fusion: Fusion, node: RecordedNode): boolean {
  const [x, runningMean, runningVar] = node.inputs;
  const [statistics] = node.outputs;
  if (x === undefined || statistics === undefined || !isInternal(statistics)) return false;
  const tracked = node.op === trackedStatsOp;
  const { shape, eps } = attrsOf(node, tracked ? trackedStatsOp : batchStatsOp);
  const applied = fusion.graph.readersOf(statistics).filter(({ op }) => op === applyOp);
  const [apply] = applied;
  if (apply === undefined || applied.length > 1 || apply.inputs[0] !== x) return false;
  const { hasWeight, hasBias } = attrsOf(apply, applyOp);
  const affine = apply.inputs.slice(2);
  const [h] = apply.outputs;
  if (
    h === undefined ||
    !fusion.inputsUnchangedUntilLastRead(node, statistics) ||
    !readersFollow(fusion, apply, h)
  )
    return false;
  const { channels } = shape;
  const input = fusion.view(x, mapShape(shape), node);
  const context = fusion.context(node);
  const moments = fusion.moments(input);
  const fresh = freshChannels(fusion, context, input, moments);
  const table = newTable(5, channels, 'norm');
  const running =
    tracked && runningMean !== undefined && runningVar !== undefined
      ? {
          mean: runningMean.storage,
          variance: runningVar.storage,
          momentum: attrsOf(node, trackedStatsOp).momentum,
        }
      : null;
  if (fresh.range.count < channels) fusion.note('statisticsShared');
  if (fresh.partials !== null) fusion.note('statisticsJoined');
  fusion.emit(
    joinMoments(context, {
      partials: fresh.partials,
      fresh: fresh.range,
      moments: columnsOf(moments.table, input.offset),
      channels,
      count: shape.batch * shape.length,
      running,
      weight: (hasWeight ? affine[0]?.storage : null) ?? null,
      bias: (hasBias ? affine.at(-1)?.storage : null) ?? null,
      eps,
      norm: table,
    }),
  );
  fusion.norms.set(statistics, { input, table, eps });
  return true;
}

/** True if the norm can be computed at every reader of its result `h`, or of the ReLU that follows it. */
function readersFollow(fusion: Fusion, apply: RecordedNode, h: Value): boolean {
  const results = fusion.graph
    .readersOf(h)
    .flatMap(({ op, outputs }) => (op === RELU_OPS.forward ? outputs : []));
  return [h, ...results].every((value) => fusion.inputsUnchangedUntilLastRead(apply, value));
}

/** Measures the channels without statistics, unless the convolution that wrote them has measured them. */
function freshChannels(
  fusion: Fusion,
  context: KernelContext,
  input: Norm['input'],
  { known, partials }: ReturnType<Fusion['moments']>,
): { range: { first: number; count: number }; partials: MomentPartials | null } {
  const unknown = Array.from({ length: input.channels }, (_, i) => input.offset + i).filter(
    (channel) => !known.has(channel),
  );
  const [first] = unknown;
  if (first === undefined) return { range: { first: 0, count: 0 }, partials: null };
  for (const channel of unknown) known.add(channel);
  const made = partials.get(first);
  if (
    made !== undefined &&
    made.channels === unknown.length &&
    unknown.at(-1) === first + made.channels - 1
  ) {
    return { range: { first: first - input.offset, count: made.channels }, partials: made };
  }
  const { dispatches, partials: measured } = mapMoments(context, input);
  fusion.note('statisticsMeasured');
  fusion.emit(...dispatches);
  return { range: { first: 0, count: input.channels }, partials: measured };
}

/** Running statistics: the norms that read them compute their tables from them. */
export function fuseRunningStatistics(fusion: Fusion, node: RecordedNode): boolean {
  const [statistics] = node.outputs;
  if (statistics === undefined || !isInternal(statistics)) return false;
  const follow = fusion.graph.readersOf(statistics).every((reader) => {
    const [h] = reader.outputs;
    return reader.op === applyOp && h !== undefined && readersFollow(fusion, reader, h);
  });
  if (!follow || !fusion.inputsUnchangedUntilLastRead(node, statistics)) return false;
  fusion.running.set(statistics, node);
  return true;
}

function runningNorm(fusion: Fusion, statistics: RecordedNode, apply: RecordedNode): Norm {
  const [mean, variance] = two(statistics.inputs);
  const [x, , ...affine] = apply.inputs;
  if (x === undefined) throw new Error('batchNorm was recorded without its input');
  const { shape, hasWeight, hasBias } = attrsOf(apply, applyOp);
  const eps = attrsOf(statistics, runningStatsOp);
  const table = newTable(5, shape.channels, 'norm');
  const input = fusion.view(x, mapShape(shape), apply);
  fusion.note('runningStatistics', statistics);
  fusion.emit(
    runningNormTable(fusion.context(apply), {
      mean: mean.storage,
      variance: variance.storage,
      weight: (hasWeight ? affine[0]?.storage : null) ?? null,
      bias: (hasBias ? affine.at(-1)?.storage : null) ?? null,
      eps,
      norm: table.buffer,
    }),
  );
  return { input, table, eps };
}

/** A norm becomes a form, together with a ReLU that is its only reader. */
export function fuseApply(fusion: Fusion, node: RecordedNode): boolean {
  const statistics = node.inputs[1] as Value;
  const running = fusion.running.get(statistics);
  const norm = running ? runningNorm(fusion, running, node) : fusion.norms.get(statistics);
  const [h] = node.outputs;
  if (norm === undefined || h === undefined) return false;
  const relu = isInternal(h) ? fusion.graph.onlyReader(h, RELU_OPS.forward) : null;
  const y = relu?.outputs[0];
  if (relu !== null && y !== undefined) {
    fusion.done.add(relu);
    fusion.defer(y, { kind: 'activation', norm, relu: true }, relu, [node, relu]);
  } else fusion.defer(h, { kind: 'activation', norm, relu: false }, node);
  return true;
}

/**
 * A dropout after a norm: one pass computes both. A convolution's load would draw it again for each tap and each tile of
 * output channels (45 times for 576 channels, 3 x 3), which costs more than this pass.
 */
export function fuseDropout(fusion: Fusion, node: RecordedNode): boolean {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const form = x === undefined ? undefined : fusion.forms.get(x);
  if (y === undefined || form?.kind !== 'activation') return false;
  const { images, channels, pixels } = form.norm.input;
  const out = fusion.target(y, { images, channels, pixels });
  if (out.buffer !== y.storage) return false;
  fusion.note('dropoutWithNorm', ...(x === undefined ? [] : fusion.makersOf(x)));
  fusion.emit(materialize(fusion.context(node), activationLoad(form), out, attrsOf(node, dropoutOp)));
  return true;
}

/** The nodes that follow on the gradient of a norm's result (or of its ReLU's) and become one kernel's epilogue. */
interface NormBackward {
  readonly norm: Norm;
  /** Backward of a dropout behind the norm. */
  readonly dropout: RecordedNode | null;
  readonly relu: RecordedNode | null;
  readonly sums: RecordedNode;
  /** Null if the gradient of the norm's input is not wanted. */
  readonly backward: RecordedNode | null;
  readonly shape: NormShape;
}

/** Non-null if the only use of `gradient` is the backward of a fused norm, or of the ReLU or dropout after one. */
export function matchNormBackward(fusion: Fusion, gradient: Value): NormBackward | null {
  const { graph } = fusion;
  if (!isInternal(gradient)) return null;
  const dropout = graph.onlyReader(gradient, dropoutOp);
  const kept = dropout?.outputs[0];
  if (dropout !== null && kept !== undefined) {
    const match = isInternal(kept) ? matchNormBackward(fusion, kept) : null;
    return match !== null && match.dropout === null ? { ...match, dropout } : null;
  }
  const relu = graph.onlyReader(gradient, RELU_OPS.backward);
  if (relu === null) return matchSums(fusion, gradient, null);
  const [dy, y] = relu.inputs;
  const [masked] = relu.outputs;
  const form = y === undefined ? undefined : fusion.forms.get(y);
  if (dy !== gradient || masked === undefined || !isInternal(masked)) return null;
  if (form?.kind !== 'activation' || !form.relu) return null;
  const match = matchSums(fusion, masked, relu);
  return match !== null && match.norm === form.norm ? match : null;
}

function matchSums(fusion: Fusion, gradient: Value, relu: RecordedNode | null): NormBackward | null {
  const readers = fusion.graph.readersOf(gradient);
  const sums = readers.find(({ op }) => op === sumsOp);
  const backward = readers.find(({ op }) => op === inputGradientOp) ?? null;
  if (sums === undefined || readers.length !== (backward === null ? 1 : 2)) return null;
  const norm = fusion.norms.get(sums.inputs[2] as Value);
  if (norm === undefined || sums.inputs[0] !== gradient) return null;
  if (backward !== null) {
    const ours = backward.inputs[0] === gradient && backward.inputs[1] === sums.inputs[2];
    if (!ours || !attrsOf(backward, inputGradientOp).training) return null;
  }
  return { norm, dropout: null, relu, sums, backward, shape: attrsOf(sums, sumsOp) };
}

/** Calls `make` to write the gradient for the norm's backward, and adds the rest of that backward. */
export function finishNormBackward(
  fusion: Fusion,
  { norm, dropout, relu, sums, backward, shape }: NormBackward,
  make: (output: NormOutput) => SumPartials,
): void {
  const shared = backward === null ? null : sharedGradient(fusion, backward.outputs[0] as Value, norm);
  const gradient = shared?.gradient ?? newGradient(norm, shape);
  fusion.note('normBackwardInEpilogue', dropout, relu, sums);
  if (shared !== null) fusion.note('gradientAccumulated', shared.add);
  const partials = make({
    kind: 'norm',
    x: norm.input,
    norm: norm.table,
    relu: relu !== null,
    gradient: gradient.gradient,
    mode: shared === null ? 'store' : 'accumulate',
  });
  const [dweight, dbias] = sums.outputs;
  fusion.emitFor(
    [sums, backward],
    ['sumsJoined'],
    [
      joinSums(fusion.context(sums), {
        partials,
        channels: shape.channels,
        count: shape.batch * shape.length,
        norm: norm.table,
        dweight: dweight?.storage ?? null,
        dbias: dbias?.storage ?? null,
        sums: gradient.sums,
        accumulate: shared !== null,
        coefficients: gradient.coefficients,
      }),
    ],
  );
  for (const node of [dropout, relu, sums, backward, shared?.add]) if (node) fusion.done.add(node);
  if (shared !== null) {
    const makers = [...shared.add.inputs.flatMap((input) => fusion.makersOf(input)), backward];
    fusion.defer(
      shared.add.outputs[0] as Value,
      gradient,
      shared.add,
      makers.filter((node) => node !== null),
    );
  } else if (backward !== null) fusion.defer(backward.outputs[0] as Value, gradient, backward);
}

/** The gradient to which dx is added next, if it is of the same channels and has no other reader. */
function sharedGradient(
  fusion: Fusion,
  dx: Value,
  norm: Norm,
): { readonly gradient: Gradient; readonly add: RecordedNode } | null {
  const add = isInternal(dx) ? fusion.graph.onlyReader(dx, addOp) : null;
  const other = add?.inputs.find((input) => input !== dx);
  const form = other === undefined ? undefined : fusion.forms.get(other);
  if (add === null || other === undefined || form?.kind !== 'gradient') return null;
  if (!isInternal(other) || fusion.graph.onlyReader(other, addOp) === null) return null;
  // The correction is one for all norms only if they share xhat and invstd.
  return sameMap(form.input, norm.input) && form.eps === norm.eps ? { gradient: form, add } : null;
}

function newGradient(norm: Norm, { batch, channels, length }: NormShape): Gradient {
  // A kernel reads the norm's input beside its gradient, as one type.
  const buffer = new LogicalStorage(
    norm.input.buffer.dtype,
    batch * channels * length,
    `gradient [${batch}, ${channels}, ${length}]`,
  );
  return {
    kind: 'gradient',
    gradient: { buffer, images: batch, channels, pixels: length, bufferChannels: channels, offset: 0 },
    input: norm.input,
    eps: norm.eps,
    sums: newTable(2, channels, 'gradient sums'),
    coefficients: newTable(3, channels, 'gradient coefficients'),
  };
}

const newTable = (rows: number, channels: number, label: string) => ({
  buffer: new LogicalStorage('f32', rows * channels, `${label} [${rows}, ${channels}]`),
  bufferChannels: channels,
  offset: 0,
});

/** Backward of a norm whose gradient does not come from a convolution; `node` is a dropout's or ReLU's backward or the norm's sums. */
export function fuseNormBackward(fusion: Fusion, node: RecordedNode): boolean {
  const [dy] = node.inputs;
  if (dy === undefined) return false;
  const match = node.op === sumsOp ? matchSums(fusion, dy, null) : matchNormBackward(fusion, dy);
  if (match === null || (match.dropout ?? match.relu ?? match.sums) !== node) return false;
  const form = fusion.forms.get(dy);
  const dropout = match.dropout === null ? null : attrsOf(match.dropout, dropoutOp);
  // A dropout counts the elements of the whole map.
  if (dropout !== null) fusion.materialize(dy, node);
  const { images, channels, pixels } = mapShape(match.shape);
  if (form?.kind === 'spread') fusion.note('averageSpreadInLoad', ...fusion.makersOf(dy));
  const source =
    dropout !== null
      ? ({ kind: 'plain', map: wholeMap(dy.storage, images, channels, pixels) } as const)
      : form?.kind === 'spread'
        ? form.load
        : ({ kind: 'plain', map: fusion.view(dy, { images, channels, pixels }, node) } as const);
  finishNormBackward(fusion, match, ({ x, norm, relu, gradient, mode }) => {
    const made = normBackwardFused(fusion.context(node), {
      dy: source,
      x,
      norm,
      relu,
      gradient,
      mode,
      dropout,
    });
    fusion.emit(...made.dispatches);
    return made.partials;
  });
  return true;
}
