/*
 * Winograd's F(2x2, 3x3) (Lavin and Gray 2016): a 3x3 convolution of stride 1 makes 2x2 outputs from a 4x4 patch with 16 products
 * instead of 36:
 *
 *   U = G g G^T  [16, rows, inner]   V = B^T d B  [16, inner, tiles]   M[p] = U[p] V[p]  [16, rows, tiles]   y = A^T M A
 *
 * The gradient of a conv's input is the same with kernels turned by 180 degrees, channels exchanged and padding 2 - p. Activation or
 * correction are made as V is, bias, statistics and norm as y is. V is four times the input and M four times the output, so tiles
 * are taken in rounds whose V and M stay in the cache.
 *
 * An infinity in the input becomes NaN (infinity - infinity), and a NaN or an infinity reaches all outputs of the tiles whose patch
 * it lies in: one pixel further than in a direct convolution.
 */
import relu from '../../shaders/lib_relu.wgsl';
import store from '../../shaders/gemm_store.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import inputSource from '../../shaders/winograd_input.wgsl';
import outputSource from '../../shaders/winograd_output.wgsl';
import weightSource from '../../shaders/winograd_weight.wgsl';
import { bytesOf, DTYPE_BYTES, i32, u32, uniform } from '../gpu/dispatch.ts';
import type { BufferRef, Dispatch, Operand, ParamValue } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { bindAll } from './bindings.ts';
import { spread, storedType, type KernelContext } from './context.ts';
import type { ConvChoice, ConvDirection } from './conv_choice.ts';
import type { Conv2dExtent, Pair } from './conv_problem.ts';
import { gemm, type GemmPart } from './gemm.ts';
import { elementsOf, mapBytes, type MapView } from './maps.ts';
import { matmulProblem } from './matmul.ts';
import { expandTemplate } from './template.ts';

/** Sizes of the product and of its maps, and how the tiles are taken. */
export interface WinogradPlan {
  readonly direction: ConvDirection;
  readonly rows: number;
  readonly inner: number;
  /** The map from which patches are taken, and the one that is made. */
  readonly from: Pair;
  readonly to: Pair;
  readonly padding: Pair;
  readonly images: number;
  readonly tiles: Pair;
  readonly rounds: readonly Round[];
  /** Threads that walk a block of tiles of one row together, and a block's tiles. */
  readonly lanes: number;
  readonly block: number;
  /** Parts of the statistics of a row, over all rounds. */
  readonly parts: number;
}

/** Tiles [first, first + count) of all images. */
interface Round {
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

const POINTS = 16;
/** Bytes of V and M for one tile and one channel of either. */
const TILE_BYTES = POINTS * DTYPE_BYTES.f32;
const WORKSPACE = 16 * 2 ** 20;
/** Tiles of a round are a multiple of this, so that tiles of the product are full. */
const ROUND_STEP = 128;
const LANES = 64;
/** Tiles that one thread makes of the output. */
const TILES_PER_LANE = 4;

export function planWinograd(
  geometry: AdapterProfile,
  { inChannels, outChannels, images, input, output, padding }: Conv2dExtent,
  direction: ConvDirection,
  { workspace = WORKSPACE }: Partial<ConvChoice>,
): WinogradPlan {
  const forward = direction === 'forward';
  const [rows, inner] = forward ? [outChannels, inChannels] : [inChannels, outChannels];
  const to = forward ? output : input;
  const tiles = { y: Math.ceil(to.y / 2), x: Math.ceil(to.x / 2) };
  const total = images * tiles.y * tiles.x;
  const bytes = Math.min(workspace, geometry.maxBindingBytes);
  const most = Math.max(ROUND_STEP, Math.floor(bytes / (TILE_BYTES * (rows + inner))));
  const count = roundUp(Math.ceil(total / Math.ceil(total / most)), ROUND_STEP);
  const lanes = geometry.teamReductions ? LANES : Math.min(LANES, 2 ** Math.ceil(Math.log2(total)));
  const block = lanes * TILES_PER_LANE;
  const partsOfBlock = geometry.teamReductions ? 1 : lanes;
  const partsOfRound = Math.ceil(count / block) * partsOfBlock;
  const rounds = Array.from({ length: Math.ceil(total / count) }, (_, i) =>
    roundOf(i * count, Math.min(count, total - i * count), block, i * partsOfRound),
  );
  const parts = rounds.reduce((sum, { blocks }) => sum + blocks * partsOfBlock, 0);
  return {
    direction,
    rows,
    inner,
    from: forward ? input : output,
    to,
    padding: forward ? padding : { y: 2 - padding.y, x: 2 - padding.x },
    images,
    tiles,
    rounds,
    lanes,
    block,
    parts,
  };
}

function roundOf(first: number, count: number, block: number, firstPart: number): Round {
  const columns = roundUp(count, 4);
  // Rows that lie an odd number of cache lines apart do not compete for the same places in the cache.
  const lines = Math.ceil(columns / 16);
  const stride = columns < LANES ? columns : 16 * (lines + 1 - (lines % 2));
  return { first, count, columns, stride, blocks: Math.ceil(count / block), firstPart };
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** The convolution or data gradient of the plan: 1 + 3 rounds dispatches, a few more where the product's sums are split. */
export function winograd(
  context: KernelContext,
  plan: WinogradPlan,
  operands: WinogradOperands,
  choice: Partial<ConvChoice>,
): Dispatch[] {
  const { rows, inner, rounds } = plan;
  const most = Math.max(...rounds.map(({ stride }) => stride));
  const u = context.temporary(POINTS * rows * inner);
  const v = context.temporary(POINTS * inner * most);
  const m = context.temporary(POINTS * rows * most);
  return [
    transformedWeights(context, plan, operands.weight, u),
    ...rounds.flatMap((round) => [
      transformedInput(context, plan, round, operands, v),
      ...product(context, plan, round, { u, v, m }, choice),
      transformedOutput(context, plan, round, operands, m),
    ]),
  ];
}

const label = ({ direction }: WinogradPlan): string =>
  `conv2d ${direction === 'forward' ? 'forward' : 'backward data'} 3x3 winograd`;

function transformedWeights(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  weight: BufferRef,
  u: BufferRef,
): Dispatch {
  const { rows, inner, direction } = plan;
  const forward = direction === 'forward';
  const threads = rows * inner;
  return {
    label: `${label(plan)}, weights`,
    code: expandTemplate('winograd_weight', weightSource, {
      include: { threads: threadsLibrary },
      when: { ROTATED: !forward },
      substitute: { W_ELEMENT_: storedType(weight.dtype) },
    }),
    params: uniform({
      threads: u32(threads),
      inner: u32(inner),
      w_row: u32(forward ? 9 * inner : 9),
      w_inner: u32(forward ? 9 : 9 * rows),
    }),
    operands: [
      { buffer: weight, access: 'read' },
      { buffer: u, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: 42 * threads,
    bytes: bytesOf(weight) + bytesOf(u),
  };
}

/** How a round uses a buffer of which it may write a part only. */
const partial = ({ rounds }: WinogradPlan, whole: Operand['access'] = 'write'): Operand['access'] =>
  rounds.length > 1 ? 'readwrite' : whole;

/** The share of the tiles that a round takes. */
const shareOf = ({ images, tiles }: WinogradPlan, { count }: Round): number =>
  count / (images * tiles.y * tiles.x);

const integers = (values: Readonly<Record<string, number>>): Record<string, ParamValue> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, i32(value)]));

/** What a round's transforms share: divisors and sizes that are equal in many layers, and places that are not. */
const roundParams = (plan: WinogradPlan, round: Round, map: Pair) => ({
  shape: integers({
    tiles_x: plan.tiles.x,
    tiles_of_image: plan.tiles.y * plan.tiles.x,
    height: map.y,
    width: map.x,
  }),
  place: { count: round.count, first_tile: round.first, stride: round.stride },
});

function transformedInput(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  round: Round,
  { x, load }: WinogradOperands,
  v: BufferRef,
): Dispatch {
  const { inner, from, padding, rounds } = plan;
  const switches = merged(load.map(({ when }) => when));
  const further = merged(load.map((part) => part.operands));
  const { operands, substitute } = bindAll(
    [
      { buffer: x.buffer, access: 'read' },
      { buffer: v, access: rounds.length > 1 ? 'readwrite' : 'write' },
    ],
    further,
  );
  const { shape, place } = roundParams(plan, round, from);
  const threads = inner * round.columns;
  const share = shareOf(plan, round);
  return {
    label: `${label(plan)}, input`,
    code: expandTemplate('winograd_input', inputSource, {
      include: { threads: threadsLibrary, relu },
      when: {
        VECTOR: true,
        TABLE: 'B_TABLE' in further,
        B_ACTIVATION: switches['B_ACTIVATION'] ?? false,
        B_RELU: switches['B_RELU'] ?? false,
        B_GRADIENT: switches['B_GRADIENT'] ?? false,
      },
      substitute: { ...substitute, B_ELEMENT_: storedType(x.buffer.dtype) },
    }),
    params: {
      ...shape,
      ...uniform({
        threads: u32(threads),
        ...integers({
          ...place,
          columns: round.columns,
          channels: inner,
          b_image: x.bufferChannels * x.pixels,
          b_first: x.offset * x.pixels,
          pad_y: padding.y,
          pad_x: padding.x,
          ...merged(load.map((part) => part.params)),
        }),
      }),
    },
    operands,
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: 32 * threads + share * sum(load.map(({ flops }) => flops)),
    bytes: TILE_BYTES * threads + share * (mapBytes(x) + sum(load.map(({ bytes }) => bytes))),
  };
}

/** M = U V, 16 products. */
function product(
  context: KernelContext,
  plan: WinogradPlan,
  { columns, stride }: Round,
  { u, v, m }: { readonly u: BufferRef; readonly v: BufferRef; readonly m: BufferRef },
  choice: Partial<ConvChoice>,
): Dispatch[] {
  const { rows, inner } = plan;
  const batch = [{ size: POINTS, aStride: rows * inner, bStride: inner * stride }];
  const extent = { batch, rows, columns, inner, transposeA: false, transposeB: false };
  const { loader, ...problem } = matmulProblem(extent, u, v, m);
  return gemm(
    context,
    {
      ...problem,
      label: label(plan),
      loader: { ...loader, place: { ...loader.place, c_group: rows * stride } },
      bInner: stride,
      cRow: stride,
      quads: true,
      elements: { a: u.length, b: POINTS * inner * columns, c: POINTS * rows * columns },
      cAccess: columns < stride || plan.rounds.length > 1 ? 'readwrite' : 'write',
    },
    choice,
  );
}

function transformedOutput(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  round: Round,
  { y, yAccess, bias, store: parts }: WinogradOperands,
  m: BufferRef,
): Dispatch {
  const { rows, to, images, lanes, block } = plan;
  const switches = merged(parts.map(({ when }) => when));
  const further = merged(parts.map((part) => part.operands));
  const written = Object.entries(further).map(([name, operand]) => [
    name,
    operand.access === 'write' ? { ...operand, access: partial(plan) } : operand,
  ]);
  const { operands, substitute } = bindAll(
    [
      { buffer: m, access: 'read' },
      { buffer: y.buffer, access: partial(plan, yAccess) },
    ],
    {
      BIAS: bias === null ? null : { buffer: bias, access: 'read' },
      ...(Object.fromEntries(written) as Record<string, Operand>),
    },
  );
  const { shape, place } = roundParams(plan, round, to);
  const teams = rows * round.blocks;
  const team = geometry.teamReductions;
  const share = shareOf(plan, round);
  const pixels = to.y * to.x;
  const flags = {
    MOMENTS: switches['MOMENTS'] ?? false,
    NORM: switches['NORM'] ?? false,
    NORM_RELU: switches['NORM_RELU'] ?? false,
    ACCUMULATE: switches['ACCUMULATE'] ?? false,
  };
  return {
    label: `${label(plan)}, output`,
    code: expandTemplate('winograd_output', outputSource, {
      include: { relu, store },
      when: {
        ...flags,
        VECTOR: true,
        QUADS: false,
        TEAM: team,
        BIAS: bias !== null,
        PARTIALS: flags.MOMENTS || flags.NORM,
      },
      substitute: { ...substitute, C_ELEMENT_: storedType(y.buffer.dtype) },
    }),
    params: {
      ...shape,
      ...uniform(
        integers({
          ...place,
          groups: 1,
          rows,
          columns: images * pixels,
          column_tiles: plan.parts,
          c_row: pixels,
          c_length: 0,
          c_image: y.bufferChannels * pixels,
          c_first: y.offset * pixels,
          first_part: round.firstPart,
          lanes,
          block,
          blocks: round.blocks,
          ...(bias !== null && { bias_group: 0, bias_row: 1, bias_column: 0 }),
          ...merged(parts.map((part) => part.params)),
        }),
      ),
    },
    operands,
    workgroups: spread(geometry, team ? teams : Math.ceil((teams * lanes) / LANES)),
    flops: 24 * rows * round.count + share * sum(parts.map(({ flops }) => flops)),
    bytes:
      TILE_BYTES * rows * round.count +
      share * (elementsOf(y) * DTYPE_BYTES[y.buffer.dtype] + sum(parts.map(({ bytes }) => bytes))),
  };
}

const merged = <T>(records: readonly Readonly<Record<string, T>>[]): Record<string, T> =>
  Object.fromEntries(records.flatMap((record) => Object.entries(record)));

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
