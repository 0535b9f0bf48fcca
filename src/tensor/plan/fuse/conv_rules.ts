import type { Conv2dExtent } from '../../../kernels/conv.ts';
import { convDataFused, convForwardFused, convWeightFused } from '../../../kernels/conv_fused.ts';
import { avgPoolFused } from '../../../kernels/pool_fused.ts';
import { wholeMap, type ActivationLoad, type MapView, type PlainLoad } from '../../../kernels/maps.ts';
import type { PoolShape, Size2d } from '../../../kernels/pool.ts';
import { concatOp } from '../../ops/movement.ts';
import { conv2dDataOp, conv2dOp, conv2dWeightOp } from '../../ops/conv.ts';
import { batchStatsOp, trackedStatsOp } from '../../ops/norm.ts';
import { avgPoolBackwardOp, avgPoolOp } from '../../ops/pool.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { LogicalStorage } from '../../graph/storage.ts';
import type { Value } from '../../graph/value.ts';
import { readsFrom, type Fusion, type MapShape } from './fusion.ts';
import { attrsOf, isInternal } from './graph.ts';
import { finishNormBackward, matchNormBackward } from './norm_rules.ts';

/*
 * Convolutions. Forward: the load applies batch norm and ReLU, the result is written to its slot in a concatenation, and the
 * epilogue computes its channels' statistics. Backward: the load corrects a norm's gradient, and the epilogue does what
 * follows on the result (mask, sums, accumulation).
 *
 * A 1x1 convolution and an average commute, so averaging comes first, forward and backward:
 *
 *   avg(conv(x)) = conv(avg(x)),   dw = dy * avg(x),   dx = avgBackward(convBackward(dy))
 */

const area = ({ y, x }: { readonly y: number; readonly x: number }): number => y * x;

const inputShape = ({ images, inChannels, input }: Conv2dExtent): MapShape => ({
  images,
  channels: inChannels,
  pixels: area(input),
});

const outputShape = ({ images, outChannels, output }: Conv2dExtent): MapShape => ({
  images,
  channels: outChannels,
  pixels: area(output),
});

// Forward

export function fuseConv(fusion: Fusion, node: RecordedNode): boolean {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x === undefined || y === undefined) return false;
  const extent = attrsOf(node, conv2dOp);
  const average = isInternal(y) ? fusion.graph.onlyReader(y, avgPoolOp) : null;
  if (
    average !== null &&
    commutes(extent, attrsOf(average, avgPoolOp).pool) &&
    fusion.inputsUnchangedUntilLastRead(node, y)
  ) {
    fusion.forms.set(y, { kind: 'beforePool', node });
    return true;
  }
  const load = fusion.loadActivation(x, inputShape(extent), node);
  return convolve(fusion, node, extent, load, y);
}

/** The average of a deferred 1x1 convolution, computed as the convolution of the average. */
export function fuseAverage(fusion: Fusion, node: RecordedNode): boolean {
  const [z] = node.inputs;
  const [y] = node.outputs;
  const form = z === undefined ? undefined : fusion.forms.get(z);
  if (form?.kind !== 'beforePool' || y === undefined) return false;
  const { pool } = attrsOf(node, avgPoolOp);
  const extent = pooledExtent(attrsOf(form.node, conv2dOp), pool);
  const map = averageOf(fusion, form.node, pool);
  fusion.note('averageFirst', form.node);
  return convolve(fusion, form.node, extent, { kind: 'plain', map }, y);
}

/** False, with nothing done, if fusion gains the convolution nothing. */
function convolve(
  fusion: Fusion,
  node: RecordedNode,
  extent: Conv2dExtent,
  load: PlainLoad | ActivationLoad,
  y: Value,
): boolean {
  const [x, weight, bias = null] = node.inputs;
  if (weight === undefined) return false;
  const target = fusion.target(y, outputShape(extent));
  const moments = isMeasured(fusion, y);
  const asRecorded =
    load.kind === 'plain' && load.map.buffer === x?.storage && load.map.bufferChannels === load.map.channels;
  if (asRecorded && target.buffer === y.storage && !moments) return false;
  const { images, channels, pixels } = target;
  const place = readsFrom(load, target.buffer) ? wholeMap(y.storage, images, channels, pixels) : target;
  const made = convForwardFused(fusion.context(node), extent, {
    x: load,
    weight: weight.storage,
    bias: bias?.storage ?? null,
    y: place,
    moments,
  });
  if (moments) fusion.note('statisticsInEpilogue');
  if (place === target) fusion.noteSlot(y);
  fusion.emit(...made.dispatches);
  if (made.partials !== null) fusion.moments(target).partials.set(target.offset, made.partials);
  if (place === target) fusion.written(y);
  else fusion.fillSlot(y, node);
  return true;
}

/** True if a norm in training reads the value, or a concatenation of which it is a part. */
function isMeasured(fusion: Fusion, value: Value): boolean {
  return fusion.graph
    .readersOf(value)
    .some(
      ({ op, outputs: [output] }) =>
        op === trackedStatsOp ||
        op === batchStatsOp ||
        (op === concatOp && output !== undefined && isMeasured(fusion, output)),
    );
}

function commutes({ kernel, stride, padding }: Conv2dExtent, { input, output, window }: PoolShape): boolean {
  if (area(kernel) * area(stride) !== 1 || padding.y + padding.x > 0 || window === null) return false;
  const axes = [0, 1] as const;
  return axes.every((axis) => {
    const size = window.kernel[axis];
    const apart = window.stride[axis] === size && window.padding[axis] === 0 && window.dilation[axis] === 1;
    return apart && input[axis] === output[axis] * size;
  });
}

function pooledExtent(extent: Conv2dExtent, { output: [y, x] }: PoolShape): Conv2dExtent {
  return { ...extent, input: { y, x }, output: { y, x } };
}

/** The average of a convolution's input, computed once for forward and backward. */
function averageOf(fusion: Fusion, node: RecordedNode, pool: PoolShape): MapView {
  const [x] = node.inputs;
  const extent = attrsOf(node, node.op === conv2dOp ? conv2dOp : conv2dWeightOp);
  const source = node.op === conv2dOp ? x : node.inputs[1];
  if (source === undefined) throw new Error(`${node.op.name} was recorded without its input`);
  const made = fusion.averages.get(source) ?? [];
  const found = made.find(({ pool: { output } }) => sameSize(output, pool.output));
  if (found !== undefined) return found.map;
  const { images, inChannels } = extent;
  const pixels = pool.output[0] * pool.output[1];
  const load = fusion.loadActivation(source, inputShape(extent), node);
  const buffer = new LogicalStorage(
    load.map.buffer.dtype,
    images * inChannels * pixels,
    `average [${images}, ${inChannels}, ${pixels}]`,
  );
  const map = wholeMap(buffer, images, inChannels, pixels);
  fusion.note('averageFirst');
  fusion.emit(avgPoolFused(fusion.context(node), load, map, pool));
  fusion.averages.set(source, [...made, { pool, map }]);
  return map;
}

/** Windows side by side have the size input / output. */
const sameSize = (a: Size2d, b: Size2d): boolean => a[0] === b[0] && a[1] === b[1];

// Backward

/** Defers an average's backward if only the backward of such a convolution reads it. */
export function fuseAverageBackward(fusion: Fusion, node: RecordedNode): boolean {
  const [dy] = node.inputs;
  const [dz] = node.outputs;
  if (dy === undefined || dz === undefined || !isInternal(dz)) return false;
  const { pool } = attrsOf(node, avgPoolBackwardOp);
  const readers = fusion.graph.readersOf(dz);
  const all = readers.every(({ op, attrs, inputs: [first] }) => {
    const conv = op === conv2dDataOp || op === conv2dWeightOp;
    return conv && first === dz && commutes(attrs as Conv2dExtent, pool);
  });
  if (!all || readers.length === 0 || !fusion.inputsUnchangedUntilLastRead(node, dz)) return false;
  fusion.forms.set(dz, { kind: 'afterPool', node, dy, pool });
  return true;
}

export function fuseConvData(fusion: Fusion, node: RecordedNode): boolean {
  const [dy, weight] = node.inputs;
  const [dx] = node.outputs;
  if (dy === undefined || weight === undefined || dx === undefined) return false;
  const extent = attrsOf(node, conv2dDataOp);
  const context = fusion.context(node);
  const form = fusion.forms.get(dy);
  if (form?.kind === 'afterPool') {
    const pooled = pooledExtent(extent, form.pool);
    const { images, channels, pixels } = inputShape(pooled);
    const buffer = new LogicalStorage(dx.dtype, images * channels * pixels, `conv2d backward of an average`);
    const map = wholeMap(buffer, images, channels, pixels);
    const load = fusion.loadGradient(form.dy, outputShape(pooled), node);
    const out = { kind: 'plain', dx: map } as const;
    fusion.note('averageFirstBackward', form.node);
    fusion.emit(...convDataFused(context, pooled, { dy: load, weight: weight.storage, out }).dispatches);
    const { window, input, output } = form.pool;
    if (window === null) throw new Error('an adaptive average was taken for one that commutes');
    const spread = { kind: 'averagePooled', map, kernel: window.kernel, input, output } as const;
    const pool = { ...form.pool, planes: images * channels };
    fusion.defer(dx, { kind: 'spread', load: spread, pool }, form.node);
    return true;
  }
  const load = fusion.loadGradient(dy, outputShape(extent), node);
  const fromMemory = (): PlainLoad => {
    const { images, channels, pixels } = outputShape(extent);
    fusion.materialize(dy, node);
    fusion.unnote('correctionInLoad');
    return { kind: 'plain', map: wholeMap(dy.storage, images, channels, pixels) };
  };
  const match = matchNormBackward(fusion, dx);
  // A dropout's draws would be one binding too many for the epilogue.
  if (match !== null && match.dropout === null) {
    finishNormBackward(fusion, match, (out) => {
      const source = readsFrom(load, out.gradient.buffer) ? fromMemory() : load;
      const made = convDataFused(context, extent, { dy: source, weight: weight.storage, out });
      fusion.emit(...made.dispatches);
      if (made.partials === null) throw new Error('a fused convolution made no sums for its norm');
      return made.partials;
    });
    return true;
  }
  if (
    load.kind === 'plain' &&
    load.map.buffer === dy.storage &&
    load.map.bufferChannels === load.map.channels
  )
    return false;
  const map = wholeMap(dx.storage, extent.images, extent.inChannels, area(extent.input));
  const made = convDataFused(context, extent, {
    dy: load,
    weight: weight.storage,
    out: { kind: 'plain', dx: map },
  });
  fusion.emit(...made.dispatches);
  return true;
}

export function fuseConvWeight(fusion: Fusion, node: RecordedNode): boolean {
  const [dy, x] = node.inputs;
  const [dw] = node.outputs;
  if (dy === undefined || x === undefined || dw === undefined) return false;
  const extent = attrsOf(node, conv2dWeightOp);
  const form = fusion.forms.get(dy);
  if (form === undefined && !fusion.forms.has(x)) return false;
  const context = fusion.context(node);
  if (form?.kind === 'afterPool') {
    const pooled = pooledExtent(extent, form.pool);
    const map = averageOf(fusion, node, form.pool);
    const load = fusion.loadGradient(form.dy, outputShape(pooled), node);
    fusion.note('averageFirstBackward', form.node);
    fusion.emit(...convWeightFused(context, pooled, { dy: load, x: { kind: 'plain', map }, dw: dw.storage }));
    return true;
  }
  const operands = {
    dy: fusion.loadGradient(dy, outputShape(extent), node),
    x: fusion.loadActivation(x, inputShape(extent), node),
    dw: dw.storage,
  };
  fusion.emit(...convWeightFused(context, extent, operands));
  return true;
}
