import indexSelectSource from '../../shaders/index_select.wgsl';
import indexSelectBackwardSource from '../../shaders/index_select_backward.wgsl';
import strided from '../../shaders/lib_strided.wgsl';
import transposeSource from '../../shaders/strided_transpose.wgsl';
import stridedCopySource from '../../shaders/strided_copy.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, DTYPE_BYTES, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { movedType, spread } from './context.ts';
import { vectorCount, vectorOf } from './elementwise.ts';
import { planTranspose, planWalk, type View } from './strided.ts';
import { expandTemplate } from './template.ts';

/** An array that takes part in a strided copy. */
interface ViewOf {
  readonly buffer: BufferRef;
  readonly view: View;
}

/**
 * to[i] = from[i] for all i in `shape`. `covers` says that every element of `to` is written; without it the others
 * stay as they are.
 */
export function stridedCopy(
  geometry: AdapterProfile,
  shape: readonly number[],
  from: ViewOf,
  to: ViewOf,
  covers: boolean,
): Dispatch {
  const length = shape.reduce((count, size) => count * size, 1);
  return {
    label: `move [${shape.join(', ')}]`,
    ...copyKernel(geometry, shape, from, to),
    operands: [
      { buffer: from.buffer, access: 'read' },
      { buffer: to.buffer, access: covers ? 'write' : 'readwrite' },
    ],
    flops: 0,
    bytes:
      Math.min(length, from.buffer.length) * DTYPE_BYTES[from.buffer.dtype] +
      length * DTYPE_BYTES[to.buffer.dtype],
  };
}

function copyKernel(
  geometry: AdapterProfile,
  shape: readonly number[],
  from: ViewOf,
  to: ViewOf,
): Pick<Dispatch, 'code' | 'params' | 'workgroups'> {
  const scalar = movedType(from.buffer.dtype, to.buffer.dtype);
  const transpose = planTranspose(geometry, shape, from.view, to.view);
  if (transpose !== null) {
    const { team, tiles, params, when } = transpose;
    return {
      code: expandTemplate('strided_transpose', transposeSource, {
        include: { strided },
        when: { ...when, TILES: team },
        substitute: { TYPE_: scalar },
      }),
      params,
      workgroups: spread(geometry, team ? tiles : Math.ceil(tiles / 64)),
    };
  }
  const walk = planWalk(geometry, shape, from.view, to.view, false);
  const type = walk.vector ? `vec4<${scalar}>` : scalar;
  return {
    code: expandTemplate('strided_copy', stridedCopySource, {
      include: { strided, threads: threadsLibrary },
      when: walk.when,
      substitute: { TYPE_: type, A_ELEMENT_: walk.repeats[0] ? scalar : type, ITEMS_: `${walk.items}u` },
    }),
    params: walk.params,
    workgroups: spread(geometry, Math.ceil(walk.threads / 64)),
  };
}

/** Sizes of index selection along the middle of three dimensions. */
export interface Selection {
  readonly outer: number;
  /** Rows there are. */
  readonly rows: number;
  /** Rows that are taken. */
  readonly selected: number;
  readonly inner: number;
}

/** y[o, j, i] = x[o, indices[j], i]; an index that is not a row gives NaN (0 for integers). */
export function indexSelect(
  geometry: AdapterProfile,
  x: BufferRef,
  indices: BufferRef,
  y: BufferRef,
  { outer, rows, selected, inner }: Selection,
): Dispatch {
  const count = outer * selected * vectorCount(inner);
  return {
    label: `indexSelect ${selected} of [${outer}, ${rows}, ${inner}]`,
    code: expandTemplate('index_select', indexSelectSource, {
      include: { threads: threadsLibrary },
      substitute: { TYPE_: vectorOf('u32', inner) },
    }),
    params: {
      threads: u32(count),
      rows: u32(rows),
      selected: u32(selected),
      inner: u32(vectorCount(inner)),
      missing: u32(x.dtype === 'f32' ? 0x7fc00000 : 0),
    },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: indices, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(count / 64)),
    flops: 0,
    bytes: 2 * bytesOf(y) + bytesOf(indices),
  };
}

/** dx[o, r, i] = sum of dy[o, j, i] over the j with indices[j] = r, always in the same order. */
export function indexSelectBackward(
  geometry: AdapterProfile,
  dy: BufferRef,
  indices: BufferRef,
  dx: BufferRef,
  { outer, rows, selected, inner }: Selection,
): Dispatch {
  const count = outer * rows * vectorCount(inner);
  return {
    label: `indexSelect backward ${selected} of [${outer}, ${rows}, ${inner}]`,
    code: expandTemplate('index_select_backward', indexSelectBackwardSource, {
      include: { threads: threadsLibrary },
      substitute: { TYPE_: vectorOf('f32', inner) },
    }),
    params: { threads: u32(count), rows: u32(rows), selected: u32(selected), inner: u32(vectorCount(inner)) },
    operands: [
      { buffer: dy, access: 'read' },
      { buffer: indices, access: 'read' },
      { buffer: dx, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(count / 64)),
    flops: dy.length,
    bytes: bytesOf(dx) + bytesOf(dy) + bytesOf(indices),
  };
}
