import source from '../../shaders/argmax.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { spread, type KernelContext } from './context.ts';
import type { Extent } from './reduce.ts';
import { expandTemplate } from './template.ts';

export type Extreme = 'max' | 'min';

interface Found {
  readonly value: BufferRef;
  readonly index: BufferRef;
}

/** The extreme along the middle dimension and its first place there; `index` is i32, the value of x's type. */
export function argExtreme(
  context: KernelContext,
  kind: Extreme,
  x: BufferRef,
  found: Found,
  extent: Extent,
): Dispatch[] {
  return passes(context, kind, { value: x, index: null }, found, extent);
}

function passes(
  context: KernelContext,
  kind: Extreme,
  from: { readonly value: BufferRef; readonly index: BufferRef | null },
  to: Found,
  extent: Extent,
): Dispatch[] {
  const { outer, reduce, inner } = extent;
  const wanted = Math.ceil((reduce * outer * inner) / context.geometry.threadsToFill);
  const chunk = Math.min(reduce, Math.max(64, wanted));
  const splits = Math.ceil(reduce / chunk);
  const outputs = outer * splits * inner;
  const last = splits === 1;
  const found = last
    ? to
    : { value: context.temporary(outputs, from.value.dtype), index: context.temporary(outputs, 'i32') };
  const dispatch: Dispatch = {
    label: `arg${kind} [${outer}, ${reduce}, ${inner}]`,
    code: expandTemplate('argmax', source, {
      include: { nan, threads: threadsLibrary },
      when: { LATER: from.index !== null, FLOAT: from.value.dtype === 'f32' },
      substitute: {
        TYPE_: from.value.dtype,
        BEATS_: kind === 'max' ? 'candidate > best' : 'candidate < best',
      },
    }),
    params: {
      threads: u32(outputs),
      splits: u32(splits),
      reduce: u32(reduce),
      inner: u32(inner),
      chunk: u32(chunk),
    },
    operands: [
      { buffer: from.value, access: 'read' },
      { buffer: found.value, access: 'write' },
      { buffer: found.index, access: 'write' },
      ...(from.index === null ? [] : [{ buffer: from.index, access: 'read' } as const]),
    ],
    workgroups: spread(context.geometry, Math.ceil(outputs / 64)),
    flops: outer * reduce * inner,
    bytes: bytesOf(from.value) + bytesOf(found.value) + bytesOf(found.index),
  };
  return last
    ? [dispatch]
    : [dispatch, ...passes(context, kind, found, to, { outer, reduce: splits, inner })];
}
