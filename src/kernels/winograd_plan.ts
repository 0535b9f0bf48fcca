import { DTYPE_BYTES, type BufferRef, type Operand } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { methodOf } from './conv_choice.ts';
import type { ConvChoice, ConvDirection } from './conv_choice.ts';
import type { Conv2dExtent, Pair } from './conv_problem.ts';
import type { GemmPart } from './gemm.ts';
import type { MapView } from './maps.ts';

/** Sizes of a Winograd convolution or data gradient, and how its tiles are taken. */
export interface WinogradPlan {
  readonly direction: ConvDirection;
  /** One kernel in registers, or three a round. */
  readonly fused: boolean;
  /** Channels that are made, and those that are summed over. */
  readonly rows: number;
  readonly inner: number;
  /** The map from which patches are taken, and the one that is made. */
  readonly from: Pair;
  readonly to: Pair;
  readonly padding: Pair;
  /** Tiles of an image, and of all images. */
  readonly tiles: Pair;
  readonly images: number;
  readonly total: number;
  readonly rounds: readonly Round[];
  /** Threads that walk a block of tiles of one row together, and a block's tiles. */
  readonly lanes: number;
  readonly block: number;
  /** Parts of the statistics of a row, over all rounds. */
  readonly parts: number;
}

/** Tiles [first, first + count) of all images. */
export interface Round {
  readonly first: number;
  readonly count: number;
  /** `count` in whole vectors of four, and elements from one row of V or M to the next. */
  readonly columns: number;
  readonly stride: number;
  readonly blocks: number;
  readonly firstPart: number;
}

/** Where the operands lie. `load` and `store` are the parts that a GEMM's load of B and store of C would have. */
export interface WinogradOperands {
  readonly x: MapView;
  readonly load: readonly GemmPart[];
  readonly weight: BufferRef;
  readonly bias: BufferRef | null;
  readonly y: MapView;
  readonly yAccess: Operand['access'];
  readonly store: readonly GemmPart[];
}

/** Elements of a 4x4 tile. */
export const POINTS = 16;
/** Bytes of V or M for one tile of one channel. */
export const TILE_BYTES = POINTS * DTYPE_BYTES.f32;
/** Tiles and rows that a workgroup of the fused kernel makes; see shaders/winograd_registers.wgsl. */
export const FUSED = { tiles: 8, rows: 16 };
const WORKSPACE = 16 * 2 ** 20;
/** Tiles of a round are a multiple of this, so that tiles of the product are full. */
const ROUND_STEP = 128;
/** Threads of a workgroup that makes outputs. */
export const LANES = 64;
/** Tiles that one thread makes of the output. */
const TILES_PER_LANE = 4;

/** Null where the method of the choice, or else the faster one, is direct. */
export function planWinograd(
  geometry: AdapterProfile,
  extent: Conv2dExtent,
  direction: ConvDirection,
  choice: Partial<ConvChoice> | undefined,
): WinogradPlan | null {
  const method = methodOf(geometry, extent, direction, choice ?? {});
  if (method === 'direct') return null;
  const { inChannels, outChannels, images, input, output, padding } = extent;
  const { workspace = WORKSPACE } = choice ?? {};
  const forward = direction === 'forward';
  const fused = method === 'winogradFused';
  const [rows, inner] = forward ? [outChannels, inChannels] : [inChannels, outChannels];
  const to = forward ? output : input;
  const tiles = { y: Math.ceil(to.y / 2), x: Math.ceil(to.x / 2) };
  const total = images * tiles.y * tiles.x;
  const team = geometry.teamReductions;
  const lanes = team ? LANES : Math.min(LANES, 2 ** Math.ceil(Math.log2(total)));
  const block = lanes * TILES_PER_LANE;
  const rounds = fused ? [] : roundsOf(geometry, total, rows + inner, workspace, block, team ? 1 : lanes);
  const blocks = rounds.reduce((sum, round) => sum + round.blocks, 0);
  return {
    direction,
    fused,
    rows,
    inner,
    from: forward ? input : output,
    to,
    padding: forward ? padding : { y: 2 - padding.y, x: 2 - padding.x },
    tiles,
    images,
    total,
    rounds,
    lanes,
    block,
    parts: fused ? roundUp(total, FUSED.tiles) : blocks * (team ? 1 : lanes),
  };
}

/** All tiles in rounds whose V and M, of so many channels together, fit into the workspace and into a binding. */
function roundsOf(
  { maxBindingBytes }: AdapterProfile,
  total: number,
  channels: number,
  workspace: number,
  block: number,
  partsOfBlock: number,
): Round[] {
  const bytes = Math.min(workspace, maxBindingBytes);
  const most = Math.max(ROUND_STEP, Math.floor(bytes / (TILE_BYTES * channels)));
  const count = roundUp(Math.ceil(total / Math.ceil(total / most)), ROUND_STEP);
  const parts = Math.ceil(count / block) * partsOfBlock;
  return Array.from({ length: Math.ceil(total / count) }, (_, i) =>
    roundOf(i * count, Math.min(count, total - i * count), block, i * parts),
  );
}

function roundOf(first: number, count: number, block: number, firstPart: number): Round {
  const columns = roundUp(count, 4);
  // Rows that lie an odd number of cache lines apart do not compete for the same places in the cache.
  const lines = Math.ceil(columns / 16);
  const stride = columns < LANES ? columns : 16 * (lines + 1 - (lines % 2));
  return { first, count, columns, stride, blocks: Math.ceil(count / block), firstPart };
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
