import source from '../../shaders/gemm_matmul.wgsl';
import type { BufferRef, Dispatch } from '../gpu/dispatch.ts';
import type { KernelContext } from './context.ts';
import { gemm } from './gemm.ts';
import type { GemmBias, GemmProblem } from './gemm.ts';
import type { GemmChoice } from './gemm_choice.ts';

/** Leading dimensions of a batched matmul: sizes, and strides in elements (0 broadcasts). */
interface MatmulBatch {
  readonly size: number;
  readonly aStride: number;
  readonly bStride: number;
}

/** Sizes of C[.., rows, columns] = A[.., rows, inner] B[.., inner, columns], and how A and B are stored. */
export interface MatmulExtent {
  readonly batch: readonly MatmulBatch[];
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** A is stored as [.., inner, rows]. */
  readonly transposeA: boolean;
  /** B is stored as [.., columns, inner]. */
  readonly transposeB: boolean;
}

const MOST_BATCH_DIMS = 4;

/**
 * C = A B, every batch of it, plus an optional bias [columns] on every row. C is contiguous.
 * Throws a RangeError where there are more than four leading dimensions: see mergeBatch.
 */
export function matmulKernel(
  context: KernelContext,
  extent: MatmulExtent,
  a: BufferRef,
  b: BufferRef,
  bias: BufferRef | null,
  c: BufferRef,
  choice?: Partial<GemmChoice>,
): Dispatch[] {
  const columnBias: GemmBias | null = bias === null ? null : { buffer: bias, group: 0, row: 0, column: 1 };
  const problem = matmulProblem(extent, a, b, c);
  return gemm(context, { ...problem, ...(columnBias === null ? {} : { bias: columnBias }) }, choice);
}

/** A batched matmul as a GEMM. */
export function matmulProblem(extent: MatmulExtent, a: BufferRef, b: BufferRef, c: BufferRef): GemmProblem {
  const { batch, rows, columns, inner, transposeA, transposeB } = extent;
  if (batch.length > MOST_BATCH_DIMS) {
    const sizes = batch.map(({ size }) => size).join(', ');
    throw new RangeError(
      `matmul broadcasts leading dimensions [${sizes}] in more than ${MOST_BATCH_DIMS} alternations`,
    );
  }
  const missing = MOST_BATCH_DIMS - batch.length;
  const dims = [...new Array<MatmulBatch>(missing).fill({ size: 1, aStride: 0, bStride: 0 }), ...batch];
  const params: Record<string, number> = {
    a_row: transposeA ? 1 : inner,
    b_column: transposeB ? inner : 1,
    c_group: rows * columns,
  };
  dims.forEach(({ size }, i) => {
    if (i > 0) params[`batch_${i}`] = size;
  });
  dims.forEach(({ aStride }, i) => (params[`a_batch_${i}`] = aStride));
  dims.forEach(({ bStride }, i) => (params[`b_batch_${i}`] = bStride));
  return {
    label: 'matmul',
    loader: { name: 'gemm_matmul', source, shape: {}, place: params },
    groups: batch.reduce((product, { size }) => product * size, 1),
    rows,
    columns,
    outer: [1, 1],
    inner,
    a,
    b,
    c,
    aInner: transposeA ? rows : 1,
    bInner: transposeB ? 1 : columns,
    cRow: columns,
    aAlongRows: transposeA,
    bAlongColumns: !transposeB,
    quads: false,
    padding: 'never',
  };
}

/** Merges neighbouring leading dimensions that both operands walk evenly; drops those of size 1. */
export function mergeBatch(batch: readonly MatmulBatch[]): MatmulBatch[] {
  const merged: MatmulBatch[] = [];
  for (const dim of batch) {
    if (dim.size === 1) continue;
    const last = merged.at(-1);
    if (
      last !== undefined &&
      last.aStride === dim.aStride * dim.size &&
      last.bStride === dim.bStride * dim.size
    ) {
      merged[merged.length - 1] = { ...dim, size: last.size * dim.size };
    } else {
      merged.push(dim);
    }
  }
  return merged;
}
