/*
 * What a tuner may choose of for a GEMM: by the adapter's profile and the problem alone. `whole`: the sum cannot be split, since the
 * store needs it.
 */
import type { AdapterProfile } from '../gpu/profile.ts';
import type { ChoiceRecord } from '../gpu/tuned.ts';
import { chooseGemm, isShared, isUsable, splitsRange, sumLength, TILES } from './gemm_choice.ts';
import type { GemmChoice, GemmExtent, TileName } from './gemm_choice.ts';

/** Of a tile's rows or columns, at least this part should be of the result, unless no tile does better. */
const LEAST_USED = 0.6;

/** The usual choice for each tile of the adapter's family that does not waste most of its work, `usual` first. */
export function gemmKernels(
  geometry: AdapterProfile,
  extent: GemmExtent,
  whole: boolean,
  usual: GemmChoice,
): GemmChoice[] {
  const names = Object.keys(TILES) as TileName[];
  const ours = names.filter((name) => isOfFamily(geometry, extent, name));
  const best = Math.max(...ours.map((name) => usedOf(extent, name)));
  const useful = ours.filter((name) => usedOf(extent, name) >= LEAST_USED * best);
  const made = useful.flatMap((tile) =>
    flatsOf(extent, tile).map((flat) =>
      chooseGemm(geometry, extent, { tile, flat, ...(whole && { splits: 1 }) }),
    ),
  );
  return distinct([usual, ...made]);
}

/** The same kernel with other chunks and numbers of splits, neither of which changes its WGSL in kind. */
export function gemmNear(
  geometry: AdapterProfile,
  extent: GemmExtent,
  whole: boolean,
  choice: GemmChoice,
): GemmChoice[] {
  const { tile, chunk, splits } = choice;
  const step = TILES[tile].inner;
  const chunks = [chunk / 4, chunk / 2, 2 * chunk].map((size) => Math.ceil(size / step) * step);
  const otherChunks = chunks.map((other) => ({ ...choice, chunk: other }));
  const counts = whole ? [] : [1, Math.floor(splits / 2), 2 * splits, 4 * splits];
  const otherSplits = counts.map((count) => chooseGemm(geometry, extent, { ...choice, splits: count }));
  const all = [...otherChunks, ...otherSplits].flatMap(
    (other) => admitGemm(geometry, extent, whole, { ...other }) ?? [],
  );
  return distinct([choice, ...all]).slice(1);
}

/** The record as a choice that computes the product on such an adapter, else null. */
export function admitGemm(
  geometry: AdapterProfile,
  extent: GemmExtent,
  whole: boolean,
  record: ChoiceRecord,
): GemmChoice | null {
  const { tile, chunk, flat, splits, ...others } = record;
  if (typeof tile !== 'string' || !Object.hasOwn(TILES, tile) || Object.keys(others).length > 0) return null;
  const name = tile as TileName;
  if (
    !isOfFamily(geometry, extent, name) ||
    typeof flat !== 'boolean' ||
    !flatsOf(extent, name).includes(flat)
  )
    return null;
  const step = TILES[name].inner;
  const longest = Math.ceil((flat ? sumLength(extent) : extent.inner) / step) * step;
  if (!isBetween(chunk, step, longest) || chunk % step !== 0) return null;
  const { least, most } = whole ? { least: 1, most: 1 } : splitsRange(geometry, extent);
  if (!isBetween(splits, least, most)) return null;
  const choice = { tile: name, chunk, flat, splits };
  // No split may be empty.
  return chooseGemm(geometry, extent, choice).splits === splits ? choice : null;
}

const isOfFamily = (geometry: AdapterProfile, extent: GemmExtent, name: TileName): boolean =>
  isShared(TILES[name]) === geometry.workgroupTiles && isUsable(geometry, extent, name);

/** Whether a tile may run over outer and inner axis as one. */
const flatsOf = ({ outer }: GemmExtent, name: TileName): readonly boolean[] =>
  isShared(TILES[name]) && outer[0] * outer[1] > 1 ? [false, true] : [false];

/** Part of the tiles' area that is of the result. */
function usedOf({ rows, columns }: GemmExtent, name: TileName): number {
  const tile = TILES[name];
  const padded = (size: number, step: number): number => Math.ceil(size / step) * step;
  return (rows * columns) / (padded(rows, tile.rows) * padded(columns, tile.columns));
}

const isBetween = (value: unknown, low: number, high: number): value is number =>
  Number.isInteger(value) && (value as number) >= low && (value as number) <= high;

const distinct = (choices: readonly GemmChoice[]): GemmChoice[] => [
  ...new Map(
    choices.map((choice) => [`${choice.tile} ${choice.chunk} ${choice.flat} ${choice.splits}`, choice]),
  ).values(),
];
