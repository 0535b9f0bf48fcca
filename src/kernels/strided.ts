import { u32, type ParamValue } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';

/** An array as an index space sees it: where it starts, and how far one step along each dimension goes. */
export interface View {
  readonly offset: number;
  /** In elements, outermost first; 0 repeats. */
  readonly strides: readonly number[];
}

/** How the threads of a kernel walk two arrays over one index space; see shaders/lib_strided.wgsl. */
interface Walk {
  /** Four elements at a time along the innermost dimension. */
  readonly vector: boolean;
  /** Neighbours along the innermost dimension that one thread takes; with the option REST the last thread of a row takes fewer. */
  readonly items: number;
  readonly threads: number;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Options of the shader template. */
  readonly when: Readonly<Record<string, boolean>>;
  /** Whether the array repeats along the innermost dimension. */
  readonly repeats: readonly [boolean, boolean];
}

/** Merged dimensions, innermost first. */
interface Dimension {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

const MAX_RANK = 6;

/** Drops dimensions of size 1 and merges neighbours that both views step through without a jump. */
function mergeDimensions(shape: readonly number[], a: View, b: View): Dimension[] {
  const merged: Dimension[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i] ?? 1;
    if (size === 1) continue;
    const next = { size, a: a.strides[i] ?? 0, b: b.strides[i] ?? 0 };
    const last = merged.at(-1);
    if (last !== undefined && next.a === last.a * last.size && next.b === last.b * last.size) {
      merged[merged.length - 1] = { ...last, size: last.size * size };
    } else {
      merged.push(next);
    }
  }
  return merged.length > 0 ? merged : [{ size: 1, a: 1, b: 1 }];
}

/**
 * Plans the walk. `denseOutput` says that neither array is written, but a third that is dense in this space; without it
 * b is written, and vectors need it dense along the innermost dimension.
 * Throws a RangeError if more than six dimensions remain after merging.
 */
export function planWalk(
  geometry: AdapterProfile,
  shape: readonly number[],
  a: View,
  b: View,
  denseOutput: boolean,
): Walk {
  const dims = mergeDimensions(shape, a, b);
  if (dims.length > MAX_RANK) {
    throw new RangeError(
      `[${shape.join(', ')}] has ${dims.length} dimensions that do not merge; kernels take ${MAX_RANK}`,
    );
  }
  const [inner, ...outer] = dims;
  if (inner === undefined) throw new RangeError('a walk needs a dimension');
  const vector =
    inner.size % 4 === 0 &&
    (denseOutput || inner.b === 1) &&
    fitsVectors(
      a.offset,
      inner.a,
      outer.map((dim) => dim.a),
    ) &&
    fitsVectors(
      b.offset,
      inner.b,
      outer.map((dim) => dim.b),
    );
  const width = vector ? 4 : 1;
  const length = inner.size / width;
  const whole = itemsPerThread(geometry, length);
  // Threads at a row's end have fewer neighbours then.
  const rest = whole === 1 && geometry.elementsPerThread > 1 && length > geometry.elementsPerThread;
  const items = rest ? geometry.elementsPerThread : whole;
  // An array that repeats is read element by element, so its strides stay in elements.
  const widthA = inner.a === 1 ? width : 1;
  const widthB = inner.b === 1 ? width : 1;
  const steps: Dimension[] = [
    { size: Math.ceil(length / items), a: inner.a * items, b: inner.b * items },
    ...outer.map((dim) => ({ size: dim.size, a: dim.a / widthA, b: dim.b / widthB })),
  ];
  const { count: threads, params, when } = walkSteps(steps, a.offset / widthA, b.offset / widthB);
  return {
    vector,
    items,
    threads,
    params: {
      ...params,
      threads: u32(threads),
      a_step: u32(inner.a),
      b_step: u32(inner.b),
      row_threads: u32(Math.ceil(length / items)),
      row_length: u32(length),
    },
    when: { ...when, REST: rest },
    repeats: [inner.a === 0, inner.b === 0],
  };
}

/** What lib_strided wants to know of its index space. */
function walkSteps(
  steps: readonly Dimension[],
  aBase: number,
  bBase: number,
): Pick<Walk, 'params' | 'when'> & { readonly count: number } {
  const last = steps.at(-1) ?? { size: 1, a: 0, b: 0 };
  const params: Record<string, ParamValue> = {
    a_base: u32(aBase),
    b_base: u32(bBase),
    a_last: u32(last.a),
    b_last: u32(last.b),
  };
  const when: Record<string, boolean> = {};
  for (let i = 0; i < MAX_RANK - 1; i++) {
    const used = i < steps.length - 1;
    params[`size${i}`] = u32(used ? (steps[i]?.size ?? 1) : 1);
    params[`a${i}`] = u32(used ? (steps[i]?.a ?? 0) : 0);
    params[`b${i}`] = u32(used ? (steps[i]?.b ?? 0) : 0);
    when[`RANK${i + 2}`] = used;
  }
  return { count: steps.reduce((count, { size }) => count * size, 1), params, when };
}

/** How shaders/strided_transpose.wgsl moves an array in tiles. */
interface TransposeWalk extends Pick<Walk, 'params' | 'when'> {
  /** A workgroup for each tile rather than a thread. */
  readonly team: boolean;
  readonly tiles: number;
}

/** Rows and columns of a tile; both must have `least` positions, so that most of a tile is filled. */
const TRANSPOSE = {
  team: { rows: 32, columns: 32, least: 16 },
  thread: { rows: 16, columns: 16, least: 8 },
};

/** Plans a copy in which a lies dense along one dimension and b along another; null where another kernel suits it. */
export function planTranspose(
  geometry: AdapterProfile,
  shape: readonly number[],
  a: View,
  b: View,
): TransposeWalk | null {
  const dims = mergeDimensions(shape, a, b);
  const rows = dims.find((dim) => dim.a === 1);
  const columns = dims.find((dim) => dim.b === 1);
  if (rows === undefined || columns === undefined || rows === columns) return null;
  const team = geometry.workgroupTiles;
  const tile = TRANSPOSE[team ? 'team' : 'thread'];
  const repeats = columns.a === 0 || rows.b === 0;
  if (repeats || dims.length > MAX_RANK || Math.min(rows.size, columns.size) < tile.least) return null;
  const outer = dims.filter((dim) => dim !== rows && dim !== columns);
  const planes = walkSteps(outer, a.offset, b.offset);
  const rowTiles = Math.ceil(rows.size / tile.rows);
  const columnTiles = Math.ceil(columns.size / tile.columns);
  return {
    team,
    tiles: planes.count * rowTiles * columnTiles,
    params: {
      ...planes.params,
      rows: u32(rows.size),
      columns: u32(columns.size),
      row_tiles: u32(rowTiles),
      column_tiles: u32(columnTiles),
      planes: u32(planes.count),
      a_column: u32(columns.a),
      b_row: u32(rows.b),
    },
    when: planes.when,
  };
}

/**
 * How many of `length` neighbours one thread takes, always a divisor. Software adapters want fat threads (on lavapipe 8
 * a thread copy twice as fast as 1); hardware wants neighbours in neighbouring threads.
 */
export function itemsPerThread(geometry: AdapterProfile, length: number): number {
  return [8, 4, 2].find((count) => count <= geometry.elementsPerThread && length % count === 0) ?? 1;
}

/** Whether every row starts at a multiple of four elements and lies dense, or repeats one element. */
function fitsVectors(offset: number, inner: number, outer: readonly number[]): boolean {
  if (inner === 0) return true;
  return inner === 1 && offset % 4 === 0 && outer.every((stride) => stride % 4 === 0);
}
