import source from '../../shaders/reduce.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import { bytesOf, f32, u32, type BufferRef, type Dispatch, type DType } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread, wordType, type KernelContext } from './context.ts';
import { rowPart } from './row.ts';
import { expandTemplate } from './template.ts';

export type Reduction = 'sum' | 'max' | 'min';

/** Neighbouring dimensions that are all reduced or all kept, seen as one. Outermost first. */
export interface Block {
  readonly size: number;
  readonly reduced: boolean;
}

/** A reduction over the middle of three dimensions. */
export interface Extent {
  readonly outer: number;
  readonly reduce: number;
  readonly inner: number;
}

/** Merges dimensions of one kind and drops those of size 1. `dims` counts from the front. */
export function blocksOf(shape: readonly number[], dims: readonly number[]): Block[] {
  const blocks: Block[] = [];
  shape.forEach((size, dim) => {
    if (size === 1) return;
    const reduced = dims.includes(dim);
    const last = blocks.at(-1);
    if (last?.reduced === reduced) blocks[blocks.length - 1] = { size: last.size * size, reduced };
    else blocks.push({ size, reduced });
  });
  return blocks;
}

const product = (blocks: readonly Block[]): number => blocks.reduce((count, { size }) => count * size, 1);

/** One extent for each reduced block, innermost first: each works on what the one before left. */
function extentsOf(blocks: readonly Block[]): Extent[] {
  const extents: Extent[] = [];
  let rest = blocks;
  for (;;) {
    const at = rest.findLastIndex(({ reduced }) => reduced);
    const block = rest[at];
    if (block === undefined) break;
    const before = rest.slice(0, at);
    const after = rest.slice(at + 1);
    extents.push({ outer: product(before), reduce: block.size, inner: product(after) });
    rest = [...before, ...after];
  }
  // Nothing to reduce still means y = scale * x.
  return extents.length > 0 ? extents : [{ outer: product(blocks), reduce: 1, inner: 1 }];
}

/** y = scale * reduction of x over the reduced blocks, of x's type; every order of additions is fixed. Integers take scale 1. */
export function reduce(
  context: KernelContext,
  kind: Reduction,
  x: BufferRef,
  y: BufferRef,
  blocks: readonly Block[],
  scale = 1,
): Dispatch[] {
  const extents = extentsOf(blocks);
  let from = x;
  return extents.flatMap((extent, i) => {
    const last = i === extents.length - 1;
    const to = last ? y : context.temporary(extent.outer * extent.inner, wordType(x.dtype));
    const dispatches = reduceExtent(context, kind, from, to, extent, last ? scale : 1);
    from = to;
    return dispatches;
  });
}

function reduceExtent(
  context: KernelContext,
  kind: Reduction,
  x: BufferRef,
  y: BufferRef,
  extent: Extent,
  scale: number,
): Dispatch[] {
  const plan = planReduction(context.geometry, extent, wordType(x.dtype));
  if (plan.splits === 1) return [pass(context, kind, x, y, extent, plan, scale)];
  const { outer, inner } = extent;
  const partial = context.temporary(outer * plan.splits * inner, wordType(x.dtype));
  return [
    pass(context, kind, x, partial, extent, plan, 1),
    ...reduceExtent(context, kind, partial, y, { outer, reduce: plan.splits, inner }, scale),
  ];
}

interface ReductionPlan {
  /** A workgroup for each output rather than a thread. */
  readonly team: boolean;
  readonly lanes: number;
  /** Elements of the reduced dimension that one row takes. */
  readonly chunk: number;
  readonly splits: number;
}

/** Sums are cut at this length, which bounds both rounding and the time of the slowest thread. */
const LONGEST_CHUNK = { thread: 4096, team: 65536 };

function planReduction(
  geometry: AdapterProfile,
  { outer, reduce, inner }: Extent,
  dtype: DType,
): ReductionPlan {
  const outputs = outer * inner;
  // The lanes' results meet in an array of f32.
  const team = geometry.teamReductions && inner === 1 && reduce >= 64 && dtype === 'f32';
  const rows = team ? 1024 : geometry.threadsToFill;
  const shortest = team ? 4096 : 64;
  const longest = team ? LONGEST_CHUNK.team : LONGEST_CHUNK.thread;
  const wanted = Math.ceil((reduce * outputs) / rows);
  const chunk = Math.ceil(Math.min(longest, Math.max(shortest, wanted), reduce) / 4) * 4;
  const lanes = team && Math.min(chunk, reduce) >= 1024 ? 256 : 64;
  return { team, lanes, chunk, splits: Math.ceil(reduce / chunk) };
}

/** Start: null for 0. */
const COMBINE = {
  sum: { combine: 'a + b', start: null },
  // A NaN, once met, stays: as in PyTorch.
  max: { combine: 'select(a, b, (is_nan4(b) | (b > a)) & !is_nan4(a))', start: 'first' },
  min: { combine: 'select(a, b, (is_nan4(b) | (b < a)) & !is_nan4(a))', start: 'first' },
} as const;

const COMBINE_INTEGERS = { sum: COMBINE.sum.combine, max: 'max(a, b)', min: 'min(a, b)' } as const;

function pass(
  { geometry }: KernelContext,
  kind: Reduction,
  x: BufferRef,
  y: BufferRef,
  { outer, reduce, inner }: Extent,
  { team, lanes, chunk, splits }: ReductionPlan,
  scale: number,
): Dispatch {
  const outputs = outer * splits * inner;
  const vector = inner === 1 && reduce % 4 === 0;
  const { combine, start } = COMBINE[kind];
  const dtype = wordType(x.dtype);
  const rows = rowPart(geometry, { team, lanes });
  return {
    label: `${kind} [${outer}, ${reduce}, ${inner}]`,
    code: expandTemplate('reduce', source, {
      include: { ...rows.include, nan },
      when: { ...rows.when, VECTOR: vector },
      substitute: {
        ...rows.substitute,
        ELEMENT_: vector ? `vec4<${dtype}>` : dtype,
        COMBINE_: dtype === 'f32' ? combine : COMBINE_INTEGERS[kind],
        START_: start ?? `${dtype}(0)`,
        SCALAR_: dtype,
      },
    }),
    params: {
      rows: u32(outputs),
      splits: u32(splits),
      reduce: u32(reduce),
      inner: u32(inner),
      chunk: u32(chunk),
      scale: f32(scale),
    },
    operands: [
      { buffer: x, access: 'read' },
      { buffer: y, access: 'write' },
    ],
    workgroups: spread(geometry, team ? outputs : Math.ceil(outputs / lanes)),
    flops: outer * reduce * inner,
    bytes: bytesOf(x) + bytesOf(y),
  };
}
