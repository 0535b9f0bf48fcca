import { DTYPE_BYTES } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { demandMatrix, matrixFor } from './gemm_matrix.ts';
import type { MatrixOperands, MatrixTile } from './gemm_matrix.ts';

interface GemmTile {
  readonly skeleton: 'registers' | 'registers16' | 'subgroups' | 'tiled' | 'matrix';
  /** Rows and columns of C that a workgroup makes, and inner indices that it takes at a time. */
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  /** Parts into which the statistics of a row fall: an invocation's or the workgroup's columns. */
  readonly parts: number;
}

const CPU_TILES = {
  registers16: { skeleton: 'registers16', rows: 16, columns: 32, inner: 4, parts: 8 },
  registers8: { skeleton: 'registers', rows: 8, columns: 64, inner: 4, parts: 8 },
  registers4: { skeleton: 'registers', rows: 4, columns: 64, inner: 4, parts: 8 },
} as const satisfies Record<string, GemmTile>;

/**
 * All channels of DenseNet161 and of FCNN are multiples of 48. `rate` is the share of the multiprocessors' rate that a tile
 * reaches where there is work for all: of the instructions in its loop, those that are products (tools/nvidia/count.py; never
 * timed on a GPU), and less for tiles of 64 columns, which read more from the cache.
 */
const GPU_TILES = {
  tiled128x128: { skeleton: 'tiled', rows: 128, columns: 128, inner: 8, parts: 1, rate: 0.8 },
  tiled96x128: { skeleton: 'tiled', rows: 96, columns: 128, inner: 8, parts: 1, rate: 0.78 },
  tiled64x128: { skeleton: 'tiled', rows: 64, columns: 128, inner: 4, parts: 1, rate: 0.74 },
  tiled48x128: { skeleton: 'tiled', rows: 48, columns: 128, inner: 4, parts: 1, rate: 0.68 },
  tiled64x64: { skeleton: 'tiled', rows: 64, columns: 64, inner: 4, parts: 1, rate: 0.6 },
  tiled48x64: { skeleton: 'tiled', rows: 48, columns: 64, inner: 4, parts: 1, rate: 0.5 },
} as const satisfies Record<string, GemmTile & { readonly rate: number }>;

/** For software adapters with subgroups of eight. `rate`: relative to each other, measured on lavapipe. */
const SUBGROUP_TILES = {
  subgroups48: { skeleton: 'subgroups', rows: 48, columns: 32, inner: 4, parts: 8, rate: 1 },
  subgroups24: { skeleton: 'subgroups', rows: 24, columns: 32, inner: 4, parts: 8, rate: 0.82 },
  subgroups16: { skeleton: 'subgroups', rows: 16, columns: 32, inner: 4, parts: 8, rate: 0.75 },
  registers8: { ...CPU_TILES.registers8, rate: 0.55 },
  registers4: { ...CPU_TILES.registers4, rate: 0.35 },
} as const satisfies Record<string, GemmTile & { readonly rate: number }>;

/**
 * Tiles of subgroup matrices, for operands of a type that the adapter has matrices of. `rate` is in the unit of GPU_TILES: 1 is the
 * rate of f32 multiply-adds, 128 a clock in a multiprocessor of an H100. Counted there, never timed. Loads and stores bind, not
 * products: a step of 128 x 128 x 16 has 4096 elements, each read and written alone (128 + 128 instructions of a warp, one
 * starts a clock), and reads 24 KiB of matrices at 128 bytes a clock: 448 clocks for 262144 multiply-adds, 4.6 times 128. Smaller
 * tiles read more for each product. Sums take 64 registers of an invocation at most (128 x 128), so that two workgroups fit.
 */
const MATRIX_TILES = {
  matrix128x128: {
    skeleton: 'matrix',
    rows: 128,
    columns: 128,
    inner: 16,
    parts: 1,
    subgroups: [2, 4],
    rate: 4.6,
  },
  matrix96x128: {
    skeleton: 'matrix',
    rows: 96,
    columns: 128,
    inner: 16,
    parts: 1,
    subgroups: [2, 4],
    rate: 4,
  },
  matrix64x128: {
    skeleton: 'matrix',
    rows: 64,
    columns: 128,
    inner: 16,
    parts: 1,
    subgroups: [2, 4],
    rate: 3.2,
  },
  matrix48x128: {
    skeleton: 'matrix',
    rows: 48,
    columns: 128,
    inner: 16,
    parts: 1,
    subgroups: [1, 4],
    rate: 3,
  },
  matrix64x64: {
    skeleton: 'matrix',
    rows: 64,
    columns: 64,
    inner: 16,
    parts: 1,
    subgroups: [2, 2],
    rate: 2.7,
  },
} as const satisfies Record<string, GemmTile & MatrixTile & { readonly rate: number }>;

const RATED_TILES = { ...GPU_TILES, ...MATRIX_TILES };

export const TILES = { ...CPU_TILES, ...SUBGROUP_TILES, ...RATED_TILES };

export type TileName = keyof typeof TILES;
type RatedTileName = keyof typeof RATED_TILES;

/** How a GEMM is computed: its geometry, chosen by adapter and shape. */
export interface GemmChoice {
  readonly tile: TileName;
  /** Inner indices taken at one outer index before the next outer index follows; a multiple of the tile's. */
  readonly chunk: number;
  /** Tiles run over outer and inner axis as one (tiled and matrix skeletons only). */
  readonly flat: boolean;
  /** Number of workgroups that share one tile's sum. */
  readonly splits: number;
}

/** What the choice depends on. */
export interface GemmExtent extends MatrixOperands {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  readonly outer: readonly [major: number, minor: number];
  readonly inner: number;
  readonly c: { readonly length: number };
}

/** A split should be worth its share of the second stage. */
const LEAST_INNER_PER_SPLIT = 128;
/** One f32 accumulator does not add up more products than this, for accuracy. */
const MOST_INNER_PER_SPLIT = 32768;
/** Partial results beyond this size cost more memory than the parallelism is worth. */
const MOST_PARTIAL_BYTES = 64 * 2 ** 20;

export function chooseGemm(
  geometry: AdapterProfile,
  extent: GemmExtent,
  choice: Partial<GemmChoice> = {},
): GemmChoice {
  const tile = choice.tile ?? chooseTile(geometry, extent, choice.splits === 1);
  const asked = TILES[tile];
  if (asked.skeleton === 'matrix') demandMatrix(geometry, tile, asked, extent);
  const flat = choice.flat ?? chooseFlat(tile, extent);
  const chunk = choice.chunk ?? chooseChunk(tile, flat, extent);
  const one = { tile, chunk, flat, splits: 1 };
  const wanted = choice.splits ?? chooseSplits(geometry, extent, one);
  // Every split takes as many whole segments: reduce the number of splits until none is empty.
  const segments = segmentsOf(extent, one);
  return { ...one, splits: Math.ceil(segments / Math.ceil(segments / Math.min(wanted, segments))) };
}

/** Number of segments that the sum consists of; see shaders/gemm_fields.wgsl. */
export function segmentsOf(extent: GemmExtent, { chunk, flat }: GemmChoice): number {
  const [major, minor] = extent.outer;
  return flat ? Math.ceil(sumLength(extent) / chunk) : major * minor * Math.ceil(extent.inner / chunk);
}

/** Parts of C's columns that have statistics of their own. */
export function partsOf(columns: number, choice: GemmChoice): number {
  const tile = TILES[choice.tile];
  return Math.ceil(columns / tile.columns) * tile.parts;
}

/** Number of products in one element of C. */
export const sumLength = ({ outer, inner }: GemmExtent): number => outer[0] * outer[1] * inner;

function tilesOf({ groups, rows, columns }: GemmExtent, name: TileName): number {
  const tile = TILES[name];
  return groups * Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns);
}

function chooseTile(geometry: AdapterProfile, extent: GemmExtent, whole: boolean): TileName {
  if (!geometry.workgroupTiles && inStep(geometry)) {
    const names = Object.keys(SUBGROUP_TILES) as (keyof typeof SUBGROUP_TILES)[];
    const time = (name: keyof typeof SUBGROUP_TILES): number => {
      const { rows, columns, rate } = SUBGROUP_TILES[name];
      return (tilesOf(extent, name) * rows * columns) / rate;
    };
    return names.reduce((best, name) => (time(name) < time(best) ? name : best));
  }
  if (!geometry.workgroupTiles) return extent.rows <= 4 ? 'registers4' : 'registers8';
  const names = Object.keys(RATED_TILES) as RatedTileName[];
  const usable = names.filter((name) => isUsable(geometry, extent, name));
  return usable.reduce((best, name) =>
    timeOf(geometry, extent, name, whole) < timeOf(geometry, extent, best, whole) ? name : best,
  );
}

/** Whether the eight invocations of a workgroup are one subgroup. */
const inStep = ({ subgroups }: AdapterProfile): boolean => subgroups?.min === 8 && subgroups.max === 8;
/** Whether the adapter has what a tile needs for the operands. */
export function isUsable(geometry: AdapterProfile, extent: MatrixOperands, name: TileName): boolean {
  const tile = TILES[name];
  if (tile.skeleton === 'subgroups') return inStep(geometry);
  return tile.skeleton !== 'matrix' || matrixFor(geometry, tile, extent) !== undefined;
}

/** Relative time of a product. If its sums are not split, multiprocessors that idle in the last round count as well. */
function timeOf(geometry: AdapterProfile, extent: GemmExtent, name: RatedTileName, whole: boolean): number {
  const { rows, columns, rate } = RATED_TILES[name];
  const rounds = tilesOf(extent, name) / geometry.multiprocessors;
  return ((whole ? Math.ceil(rounds) : rounds) * rows * columns) / rate;
}

/**
 * The tile for a product whose B is computed in the load: on lavapipe 16 x 4 an invocation takes 20 to 30 % less time than 8 x 8.
 * Undefined where the usual choice holds.
 */
export function tileForComputedB(geometry: AdapterProfile, rows: number): TileName | undefined {
  const padded = Math.ceil(rows / 16) * 16;
  return !geometry.workgroupTiles && !inStep(geometry) && padded <= 1.25 * rows ? 'registers16' : undefined;
}

/** Whether a workgroup shares tiles of the operands. */
export const isShared = ({ skeleton }: Pick<GemmTile, 'skeleton'>): boolean =>
  skeleton === 'tiled' || skeleton === 'matrix';

function chooseFlat(name: TileName, { outer, inner }: GemmExtent): boolean {
  const tile = TILES[name];
  if (!isShared(tile) || outer[0] * outer[1] === 1) return false;
  // A tile that ends with the inner axis wastes the rest of it; one that does not pays for divisions.
  const padded = Math.ceil(inner / tile.inner) * tile.inner;
  return padded > 1.1 * inner;
}

function chooseChunk(name: TileName, flat: boolean, { inner }: GemmExtent): number {
  const tile = TILES[name];
  const step = tile.inner;
  // Short enough that the operands' lines stay in the cache while outer goes around, long enough to share its costs.
  const most = !isShared(tile) ? 256 : flat ? 128 : 32;
  return Math.min(most, Math.ceil(inner / step) * step);
}

function chooseSplits(geometry: AdapterProfile, extent: GemmExtent, one: GemmChoice): number {
  const sum = sumLength(extent);
  const idle = Math.floor(geometry.workgroupsToFill / tilesOf(extent, one.tile));
  const forSpeed = Math.min(idle, Math.floor(sum / LEAST_INNER_PER_SPLIT));
  const { least, most } = splitsRange(geometry, extent);
  return Math.max(1, Math.min(most, Math.max(forSpeed, least)));
}

/** Numbers of splits between what accuracy wants and what memory allows, which wins. */
export function splitsRange(
  geometry: AdapterProfile,
  extent: GemmExtent,
): { readonly least: number; readonly most: number } {
  const bytes = Math.min(MOST_PARTIAL_BYTES, geometry.maxBindingBytes);
  const most = Math.max(1, Math.floor(bytes / (extent.c.length * DTYPE_BYTES.f32)));
  return { least: Math.min(most, Math.ceil(sumLength(extent) / MOST_INNER_PER_SPLIT)), most };
}
