import { DTYPE_BYTES } from '../gpu/dispatch.ts';
import type { BufferRef } from '../gpu/dispatch.ts';
import type { AdapterProfile, MatrixConfig } from '../gpu/profile.ts';

/*
 * Which subgroup matrices (tensor cores) a GEMM can use: those of the type in which both operands are stored, with sums in f32.
 */

/** A tile of C that subgroups share. */
export interface MatrixTile {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** Subgroups of the workgroup below each other and side by side. */
  readonly subgroups: readonly [down: number, across: number];
}

export interface MatrixOperands {
  readonly a: Pick<BufferRef, 'dtype'>;
  readonly b: Pick<BufferRef, 'dtype'>;
}

/** Matrices and subgroups for a tile. */
interface MatrixUse extends MatrixConfig {
  readonly subgroupSize: number;
}

/** The largest of the adapter's matrices that fit the operands and the tile; undefined if there are none. */
export function matrixFor(
  profile: AdapterProfile,
  tile: MatrixTile,
  { a, b }: MatrixOperands,
): MatrixUse | undefined {
  const { subgroups, matrices } = profile;
  // Addresses in the kernel are made for one size.
  if (subgroups === null || subgroups.min !== subgroups.max || a.dtype !== b.dtype) return undefined;
  const fitting = matrices
    .map((config) => ({ ...config, subgroupSize: subgroups.max }))
    .filter((use) => use.componentType === a.dtype && use.resultComponentType === 'f32')
    .filter((use) => fits(profile, tile, use));
  return fitting.toSorted((one, other) => sizeOf(other) - sizeOf(one))[0];
}

const sizeOf = ({ M, N, K }: MatrixConfig): number => M * N * K;

/** Invocations of a workgroup. */
const invocationsOf = ({ subgroups: [down, across] }: MatrixTile, { subgroupSize }: MatrixUse): number =>
  down * across * subgroupSize;

/** Rows that an invocation loads at a time: three in tiles of a multiple of 48 rows. */
export const rowsAtOnce = (rows: number): 3 | 4 => (rows % 48 === 0 ? 3 : 4);

function fits(profile: AdapterProfile, tile: MatrixTile, use: MatrixUse): boolean {
  const [down, across] = tile.subgroups;
  const invocations = invocationsOf(tile, use);
  // Inner indices of A and of B that the workgroup loads at a time.
  const atOnce = [invocations / (tile.rows / rowsAtOnce(tile.rows)), invocations / (tile.columns / 4)];
  return (
    tile.rows % (down * use.M) === 0 &&
    tile.columns % (across * use.N) === 0 &&
    tile.inner % use.K === 0 &&
    atOnce.every((indices) => Number.isInteger(indices) && tile.inner % indices === 0) &&
    invocations <= profile.maxInvocationsPerWorkgroup &&
    memoryOf(tile, use) <= profile.maxWorkgroupStorageBytes
  );
}

/** Elements between the rows of a tile in workgroup memory: 16 bytes. */
const paddingOf = ({ componentType }: MatrixConfig): number => 16 / DTYPE_BYTES[componentType];

/** Bytes of workgroup memory at most: both operands' tiles, a strip of C, and its rows' sums. */
function memoryOf({ rows, columns, inner, subgroups: [down] }: MatrixTile, use: MatrixUse): number {
  const padding = paddingOf(use);
  const a = Math.max(rows * (inner + padding), inner * (rows + padding));
  const b = Math.max(columns * (inner + padding), inner * (columns + padding));
  const strip = down * use.M * (columns + 4 + 2 * (columns / 4) + 1);
  return (a + b) * DTYPE_BYTES[use.componentType] + strip * DTYPE_BYTES.f32;
}

/** What gemm_matrix.wgsl is told of its matrices. */
export function matrixConstants(tile: MatrixTile, use: MatrixUse): Record<string, string | number> {
  return {
    MATRIX_ELEMENT_: use.componentType,
    MATRIX_ROWS_: use.M,
    MATRIX_COLUMNS_: use.N,
    MATRIX_INNER_: use.K,
    SUBGROUP_SIZE_: use.subgroupSize,
    SUBGROUPS_DOWN_: tile.subgroups[0],
    SUBGROUPS_ACROSS_: tile.subgroups[1],
    TILE_ROWS_: tile.rows,
    TILE_COLUMNS_: tile.columns,
    TILE_INNER_: tile.inner,
    PADDING_: paddingOf(use),
  };
}

/** The matrices of a tile that was asked for. Throws an Error if the adapter has none for the operands. */
export function demandMatrix(
  profile: AdapterProfile,
  name: string,
  tile: MatrixTile,
  operands: MatrixOperands,
): MatrixUse {
  const use = matrixFor(profile, tile, operands);
  if (use !== undefined) return use;
  const { subgroups, matrices } = profile;
  const has = matrices.map(
    (one) => `${one.componentType} ${one.M}x${one.N}x${one.K} into ${one.resultComponentType}`,
  );
  const sizes = subgroups === null ? 'no subgroups' : `subgroups of ${subgroups.min} to ${subgroups.max}`;
  throw new Error(
    `tile ${name} has no subgroup matrices for A in ${operands.a.dtype} and B in ${operands.b.dtype}: ` +
      `the adapter has ${sizes}, ${has.join(', ') || 'no matrices'}; choose a tile of another skeleton`,
  );
}
