import common from '../../shaders/gemm_common.wgsl';
import fields from '../../shaders/gemm_fields.wgsl';
import load from '../../shaders/gemm_load.wgsl';
import matrix from '../../shaders/gemm_matrix.wgsl';
import registers from '../../shaders/gemm_registers.wgsl';
import registers16 from '../../shaders/gemm_registers16.wgsl';
import store from '../../shaders/gemm_store.wgsl';
import subgroups from '../../shaders/gemm_subgroups.wgsl';
import sumSplits from '../../shaders/gemm_sum_splits.wgsl';
import tiled from '../../shaders/gemm_tiled.wgsl';
import four from '../../shaders/lib_gemm_four.wgsl';
import relu from '../../shaders/lib_relu.wgsl';
import { bytesOf, DTYPE_BYTES, i32, u32, uniform } from '../gpu/dispatch.ts';
import type { BufferRef, Dispatch, Operand, ParamValue } from '../gpu/dispatch.ts';
import { spread, storedType } from './context.ts';
import type { KernelContext, Tunable } from './context.ts';
import { admitGemm, gemmKernels, gemmNear } from './gemm_candidates.ts';
import { chooseGemm, isShared, segmentsOf, sumLength, TILES } from './gemm_choice.ts';
import type { GemmChoice } from './gemm_choice.ts';
import { demandMatrix, matrixConstants, rowsAtOnce } from './gemm_matrix.ts';
import { expandTemplate } from './template.ts';
import { settle } from './tunable.ts';

/** WGSL that computes the addresses of A, B and C; see shaders/gemm_common.wgsl. */
interface GemmLoader {
  readonly name: string;
  readonly source: string;
  /** Texts that the source includes. */
  readonly include?: Readonly<Record<string, string>>;
  /**
   * Fields of the loader's Params beside the common ones. `shape`: equal in many layers, like a map's extent; may become constants.
   * `place`: different in most layers; always uniforms.
   */
  readonly shape: Readonly<Record<string, number>>;
  readonly place: Readonly<Record<string, number>>;
}

/** bias[group * groupStride + row * rowStride + column * columnStride] is added to C. */
export interface GemmBias {
  readonly buffer: BufferRef;
  readonly group: number;
  readonly row: number;
  readonly column: number;
}

/** Switches of shaders/gemm_load.wgsl and gemm_store.wgsl; all off in a plain product. */
const PLAIN = {
  A_GRADIENT: false,
  B_GRADIENT: false,
  B_ACTIVATION: false,
  B_RELU: false,
  B_INNER: false,
  MOMENTS: false,
  NORM: false,
  NORM_RELU: false,
  ACCUMULATE: false,
};

/** An option of the load of A or B, or of the store of C. */
export interface GemmPart {
  readonly when: Partial<typeof PLAIN>;
  /** By the name of their binding: A_X is bound at A_X_BINDING_. */
  readonly operands: Readonly<Record<string, Operand>>;
  /** Fields of shaders/gemm_fields.wgsl that the switches bring along. */
  readonly params: Readonly<Record<string, number>>;
  /** Bytes that the operands move, and operations beside the product. */
  readonly bytes: number;
  readonly flops: number;
}

/** For each group, C[rows, columns] = A[rows, outer x inner] B[outer x inner, columns]. */
export interface GemmProblem {
  readonly label: string;
  readonly loader: GemmLoader;
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  /** Sizes of the pair that makes the outer axis; the second varies faster. */
  readonly outer: readonly [major: number, minor: number];
  readonly inner: number;
  readonly a: BufferRef;
  readonly b: BufferRef;
  readonly c: BufferRef;
  readonly bias?: GemmBias;
  /** Elements from one inner index to the next in A and B, from one row to the next in C. */
  readonly aInner: number;
  readonly bInner: number;
  readonly cRow: number;
  /** Whether neighbouring rows of A (columns of B) are closer in memory than neighbouring inner indices. */
  readonly aAlongRows: boolean;
  readonly bAlongColumns: boolean;
  /** Whether columns 4 i to 4 i + 3 lie side by side in B and in C, at multiples of four, and none are left over. */
  readonly quads: boolean;
  /** Whether B's walks lead into padding: never, as a whole or not at all, or with a part of the inner axis. */
  readonly padding: 'never' | 'whole walks' | 'parts of walks';
  /** Elements of A, B and C that move, where these are not whole buffers. */
  readonly elements?: { readonly a: number; readonly b: number; readonly c: number };
  /** How C is used where it is not written in full. */
  readonly cAccess?: Operand['access'];
  readonly parts?: readonly GemmPart[];
}

/** Dispatches that compute C. `choice` overrides what would be chosen for the adapter, for tests and tuning. */
export function gemm(context: KernelContext, problem: GemmProblem, choice?: Partial<GemmChoice>): Dispatch[] {
  if (choice === undefined) {
    const usual = chooseGemm(context.geometry, problem);
    return gemm(
      context,
      problem,
      settleGemm(context, problem, usual, false, (to, other) => ({
        dispatches: gemm(to, problem, other),
        partials: null,
      })),
    );
  }
  const chosen = chooseGemm(context.geometry, problem, choice);
  if (chosen.splits === 1) return [product(context, problem, chosen, problem.c)];
  const partial = context.temporary(problem.c.length * chosen.splits);
  return [product(context, problem, chosen, partial), sumOfSplits(context, problem, partial, chosen.splits)];
}

/** The choice for a product: what was measured on the adapter, else `usual`. `whole`: its sum cannot be split. */
export function settleGemm(
  context: KernelContext,
  problem: GemmProblem,
  usual: GemmChoice,
  whole: boolean,
  make: Tunable['make'],
): GemmChoice {
  const { geometry } = context;
  return settle(context, {
    key: () => keyOf(problem, whole),
    usual,
    sumLength: sumLength(problem),
    kernels: () => gemmKernels(geometry, problem, whole, usual),
    near: (choice) => gemmNear(geometry, problem, whole, { ...usual, ...choice }),
    admit: (record) => admitGemm(geometry, problem, whole, record),
    make,
  });
}

/** What the time of a product depends on. */
export function keyOf(problem: GemmProblem, whole: boolean): string {
  const { loader, groups, rows, columns, outer, inner, a, b, c, bias, parts = [] } = problem;
  const { aInner, bInner, aAlongRows, bAlongColumns, quads, padding } = problem;
  const switches = parts.flatMap(({ when }) =>
    Object.entries(when).flatMap(([name, on]) => (on ? [name] : [])),
  );
  return [
    loader.name,
    `${groups} x ${rows} x (${outer.join(' x ')} x ${inner}) x ${columns}`,
    `${a.dtype} ${b.dtype} ${c.dtype}`,
    ...Object.entries(loader.shape).map(([name, value]) => `${name} ${value}`),
    `strides ${aInner} ${bInner}`,
    ...(aAlongRows ? ['A along rows'] : []),
    ...(bAlongColumns ? ['B along columns'] : []),
    ...(quads ? ['quads'] : []),
    `padding ${padding}`,
    ...(bias === undefined ? [] : ['bias']),
    ...switches,
    ...(whole ? ['whole'] : []),
  ].join(', ');
}

function product(context: KernelContext, problem: GemmProblem, choice: GemmChoice, c: BufferRef): Dispatch {
  const { groups, rows, columns, outer, inner, bias, loader, parts = [] } = problem;
  const tile = TILES[choice.tile];
  const segments = segmentsOf(problem, choice);
  const rowTiles = Math.ceil(rows / tile.rows);
  const columnTiles = Math.ceil(columns / tile.columns);
  // Divisors in the loops gain from being constants. Flat tiles also divide by `inner`.
  const shape = {
    outer_major: outer[0],
    outer_minor: outer[1],
    ...(choice.flat && { inner }),
    ...loader.shape,
  };
  const place = {
    groups,
    rows,
    columns,
    ...(!choice.flat && { inner }),
    row_tiles: rowTiles,
    column_tiles: columnTiles,
    chunk: choice.chunk,
    segments,
    splits: choice.splits,
    segments_per_split: Math.ceil(segments / choice.splits),
    c_length: problem.c.length,
    a_inner: problem.aInner,
    b_inner: problem.bInner,
    c_row: problem.cRow,
    bias_group: bias?.group ?? 0,
    bias_row: bias?.row ?? 0,
    bias_column: bias?.column ?? 0,
    ...loader.place,
    ...merged(parts.map((part) => part.params)),
  };
  const { a, b, elements = { a: a.length, b: b.length, c: problem.c.length } } = problem;
  const moved =
    elements.a * DTYPE_BYTES[a.dtype] +
    elements.b * DTYPE_BYTES[b.dtype] +
    elements.c * choice.splits * DTYPE_BYTES[c.dtype] +
    (bias === undefined ? 0 : bytesOf(bias.buffer));
  return {
    label: problem.label,
    shape: `${groups > 1 ? `${groups} x ` : ''}${rows} x ${sumLength(problem)} x ${columns}`,
    code: gemmCode(context, { ...problem, c }, choice),
    params: { ...integers(shape), ...uniform(integers(place)) },
    operands: [
      { buffer: a, access: 'read' },
      { buffer: b, access: 'read' },
      { buffer: c, access: problem.cAccess ?? 'write' },
      ...Object.values(furtherOperands(problem)),
    ],
    workgroups: spread(context.geometry, groups * choice.splits * rowTiles * columnTiles),
    flops: parts.reduce((sum, part) => sum + part.flops, 2 * groups * rows * columns * sumLength(problem)),
    ...(TILES[choice.tile].skeleton === 'matrix' && { units: a.dtype === 'f16' ? 'matrixF16' : 'matrixF32' }),
    bytes: parts.reduce((sum, part) => sum + part.bytes, moved),
  };
}

const integers = (values: Readonly<Record<string, number>>): Record<string, ParamValue> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, i32(value)]));

const merged = <T>(records: readonly Readonly<Record<string, T>>[]): Record<string, T> =>
  Object.fromEntries(records.flatMap((record) => Object.entries(record)));

/** Operands after a, b and c, in the order of their bindings. */
function furtherOperands({ bias, parts = [] }: GemmProblem): Record<string, Operand> {
  const first = bias === undefined ? {} : { BIAS: { buffer: bias.buffer, access: 'read' as const } };
  return merged<Operand>([first, ...parts.map((part) => part.operands)]);
}

/** The WGSL of a GEMM. Shapes are parameters, so that few distinct ones are compiled. */
function gemmCode({ geometry }: KernelContext, problem: GemmProblem, choice: GemmChoice): string {
  const { loader, bias, parts = [] } = problem;
  const tile = TILES[choice.tile];
  const step = choice.flat ? sumLength(problem) : problem.inner;
  const further = Object.keys(furtherOperands(problem));
  const bindings = Object.fromEntries(further.map((name, i) => [`${name}_BINDING_`, 3 + i]));
  const shared = {
    include: { common, fields, load, loader: loader.source, relu, store, ...loader.include },
    substitute: {
      ...bindings,
      PARAMS_BINDING_: 3 + further.length,
      A_ELEMENT_: storedType(problem.a.dtype),
      B_ELEMENT_: storedType(problem.b.dtype),
      C_ELEMENT_: storedType(problem.c.dtype),
    },
  };
  const switches = parts.reduce((all, part) => ({ ...all, ...part.when }), PLAIN);
  const ragged = step % tile.inner !== 0;
  const flags = {
    ...switches,
    VECTOR: true,
    QUADS: problem.quads,
    PARTIALS: switches.MOMENTS || switches.NORM,
    BIAS: bias !== undefined,
    // In shared tiles of a multiple of 48 rows an invocation takes three rows at a time.
    FOUR_ROWS: !isShared(tile) || rowsAtOnce(tile.rows) === 4,
    RAGGED: ragged,
    MASKED: problem.padding !== 'never' || ragged,
    WHOLE_WALKS: problem.padding === 'whole walks' && !ragged && !choice.flat,
  };
  const name = `gemm_${tile.skeleton} with ${loader.name}`;
  const withFour = { ...shared, include: { ...shared.include, four } };
  switch (tile.skeleton) {
    case 'subgroups':
      return expandTemplate(name, subgroups, {
        ...withFour,
        when: { ...flags, TWENTY_FOUR: tile.rows >= 24, FORTY_EIGHT: tile.rows === 48 },
      });
    case 'registers16':
      return expandTemplate(name, registers16, { ...withFour, when: flags });
    case 'registers':
      return expandTemplate(name, registers, {
        ...withFour,
        when: { ...flags, EIGHT_ROWS: tile.rows === 8 },
      });
    case 'tiled': {
      const when = {
        ...flags,
        SIXTEEN_HIGH: tile.rows > 64,
        SIXTEEN_WIDE: tile.columns > 64,
        LARGE: tile.rows * tile.columns === 128 * 128,
        A_ALONG_ROWS: problem.aAlongRows,
        B_ALONG_COLUMNS: problem.bAlongColumns,
        FLAT: choice.flat,
      };
      return expandTemplate(name, tiled, { ...shared, when });
    }
    case 'matrix': {
      const { aAlongRows, bAlongColumns } = problem;
      const substitute = {
        ...shared.substitute,
        ...matrixConstants(tile, demandMatrix(geometry, choice.tile, tile, problem)),
        A_ORDER_: aAlongRows ? 'col_major' : 'row_major',
        B_ORDER_: bAlongColumns ? 'row_major' : 'col_major',
      };
      const when = { ...flags, A_ALONG_ROWS: aAlongRows, B_ALONG_COLUMNS: bAlongColumns, FLAT: choice.flat };
      return expandTemplate(name, matrix, { ...shared, substitute, when });
    }
  }
}

function sumOfSplits(
  context: KernelContext,
  { label, c }: GemmProblem,
  partial: BufferRef,
  splits: number,
): Dispatch {
  return {
    label: `${label}, sum of splits`,
    code: sumSplits,
    params: uniform({ length: u32(c.length), splits: u32(splits) }),
    operands: [
      { buffer: partial, access: 'read' },
      { buffer: c, access: 'write' },
    ],
    workgroups: spread(context.geometry, Math.ceil(c.length / 256)),
    flops: c.length * (splits - 1),
    bytes: bytesOf(partial) + bytesOf(c),
  };
}
