import lossSource from '../../shaders/cross_entropy.wgsl';
import lossBackwardSource from '../../shaders/cross_entropy_backward.wgsl';
import exponentials from '../../shaders/lib_exponentials.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import softmaxSource from '../../shaders/softmax.wgsl';
import softmaxBackwardSource from '../../shaders/softmax_backward.wgsl';
import { movedBytes, f32, u32, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread, type KernelContext } from './context.ts';
import type { Extent } from './reduce.ts';
import { rowPart } from './row.ts';
import { expandTemplate } from './template.ts';

/** y = softmax of x along the middle dimension, or its logarithm. */
export function softmaxForward(
  { geometry }: KernelContext,
  x: BufferRef,
  y: BufferRef,
  extent: Extent,
  log: boolean,
): Dispatch {
  const operands: Operand[] = [
    { buffer: x, access: 'read' },
    { buffer: y, access: 'write' },
  ];
  const shader = {
    name: log ? 'logSoftmax' : 'softmax',
    include: { exponentials },
    source: softmaxSource,
    when: { LOG: log },
  };
  return rowDispatch(geometry, shader, operands, extent, { inner: u32(extent.inner) }, 4);
}

/** dx from dy and the result y of the forward pass. */
export function softmaxGradient(
  { geometry }: KernelContext,
  dy: BufferRef,
  y: BufferRef,
  dx: BufferRef,
  extent: Extent,
  log: boolean,
): Dispatch {
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: y, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  const name = `${log ? 'logSoftmax' : 'softmax'} backward`;
  const shader = { name, source: softmaxBackwardSource, when: { LOG: log } };
  return rowDispatch(geometry, shader, operands, extent, { inner: u32(extent.inner) }, 4);
}

/** Loss of each row of logits [rows, classes]; `target` holds classes (i32, [rows]) or probabilities (f32). */
export function crossEntropyLosses(
  { geometry }: KernelContext,
  logits: BufferRef,
  target: BufferRef,
  losses: BufferRef,
): Dispatch {
  const operands: Operand[] = [
    { buffer: logits, access: 'read' },
    { buffer: target, access: 'read' },
    { buffer: losses, access: 'write' },
  ];
  const when = { SOFT: target.dtype === 'f32' };
  const shader = { name: 'crossEntropy', source: lossSource, when, include: { exponentials } };
  const extent = { outer: losses.length, reduce: logits.length / losses.length, inner: 1 };
  return rowDispatch(geometry, shader, operands, extent, {}, 4);
}

/** dlogits = scale * dy * gradient of each row's loss; dy has one value, or one for each of `rows`. */
export function crossEntropyGradient(
  { geometry }: KernelContext,
  { dy, logits, target, dlogits }: Readonly<Record<'dy' | 'logits' | 'target' | 'dlogits', BufferRef>>,
  { rows, scale, each }: { readonly rows: number; readonly scale: number; readonly each: boolean },
): Dispatch {
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: logits, access: 'read' },
    { buffer: target, access: 'read' },
    { buffer: dlogits, access: 'write' },
  ];
  const when = { SOFT: target.dtype === 'f32', EACH: each };
  const shader = {
    name: 'crossEntropy backward',
    source: lossBackwardSource,
    when,
    include: { exponentials },
  };
  const extent = { outer: rows, reduce: logits.length / rows, inner: 1 };
  return rowDispatch(geometry, shader, operands, extent, { scale: f32(scale) }, 6);
}

interface RowShader {
  readonly name: string;
  readonly source: string;
  readonly when: Readonly<Record<string, boolean>>;
  readonly include?: Readonly<Record<string, string>>;
}

/** A workgroup for each row where rows are long and contiguous and workgroup memory is fast; a thread otherwise. */
function rowDispatch(
  geometry: AdapterProfile,
  { name, source, when, include }: RowShader,
  operands: readonly Operand[],
  { outer, reduce, inner }: Extent,
  params: NonNullable<Dispatch['params']>,
  flopsPerElement: number,
): Dispatch {
  const team = geometry.teamReductions && inner === 1 && reduce >= 32;
  const lanes = team && reduce >= 1024 ? 256 : 64;
  const rows = outer * inner;
  const part = rowPart(geometry, { team, lanes });
  return {
    label: `${name} [${outer}, ${reduce}, ${inner}]`,
    code: expandTemplate(name, source, {
      include: { ...part.include, nan, ...include },
      when: { ...part.when, ...when },
      substitute: part.substitute,
    }),
    params: { rows: u32(rows), size: u32(reduce), ...params },
    operands,
    workgroups: spread(geometry, team ? rows : Math.ceil(rows / lanes)),
    flops: flopsPerElement * rows * reduce,
    bytes: movedBytes(operands),
  };
}
