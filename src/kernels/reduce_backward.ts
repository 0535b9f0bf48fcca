import nan from '../../shaders/lib_nan.wgsl';
import source from '../../shaders/reduce_backward.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { movedBytes, f32, u32, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import { spread, type KernelContext } from './context.ts';
import { reduce, type Block } from './reduce.ts';
import { expandTemplate } from './template.ts';

type Mode = 'spread' | 'equal' | 'share' | 'select';

interface Dimension {
  readonly size: number;
  /** How far the output moves for a step along this dimension; 0 where it was reduced. */
  readonly stride: number;
}

const MOST_DIMENSIONS = 6;

/** dx = scale * dy, repeated over what was reduced: backward of sum and mean. */
export function spreadGradient(
  context: KernelContext,
  dy: BufferRef,
  dx: BufferRef,
  blocks: readonly Block[],
  scale: number,
): Dispatch {
  const operands: Operand[] = [
    { buffer: dy, access: 'read' },
    { buffer: dx, access: 'write' },
  ];
  return dispatch(context, 'spread', dimensionsOf(blocks), operands, { scale });
}

/** Backward of amax and amin: the elements that equal their output share its gradient. */
export function shareGradient(
  context: KernelContext,
  x: BufferRef,
  y: BufferRef,
  dy: BufferRef,
  dx: BufferRef,
  blocks: readonly Block[],
): Dispatch[] {
  const dimensions = dimensionsOf(blocks);
  const whole = blocks.every(({ reduced }) => reduced);
  const equal = context.temporary(x.length);
  const ties = context.temporary(y.length);
  const compared: Operand[] = [
    { buffer: x, access: 'read' },
    { buffer: y, access: 'read' },
  ];
  return [
    dispatch(context, 'equal', dimensions, [...compared, { buffer: equal, access: 'write' }], { whole }),
    ...reduce(context, 'sum', equal, ties, blocks),
    dispatch(
      context,
      'share',
      dimensions,
      [
        ...compared,
        { buffer: dy, access: 'read' },
        { buffer: ties, access: 'read' },
        { buffer: dx, access: 'write' },
      ],
      { whole },
    ),
  ];
}

/** Backward of max and min along the middle dimension: the element at `index` has the gradient. */
export function selectGradient(
  context: KernelContext,
  index: BufferRef,
  dy: BufferRef,
  dx: BufferRef,
  extent: { readonly outer: number; readonly reduce: number; readonly inner: number },
): Dispatch {
  const { outer, reduce: size, inner } = extent;
  const dimensions = [
    { size: outer, stride: inner },
    { size, stride: 0 },
    { size: inner, stride: 1 },
  ];
  return dispatch(context, 'select', dimensions, [
    { buffer: index, access: 'read' },
    { buffer: dy, access: 'read' },
    { buffer: dx, access: 'write' },
  ]);
}

function dimensionsOf(blocks: readonly Block[]): Dimension[] {
  let stride = 1;
  const dimensions: Dimension[] = [];
  for (const { size, reduced } of blocks.toReversed()) {
    dimensions.unshift({ size, stride: reduced ? 0 : stride });
    if (!reduced) stride *= size;
  }
  return dimensions;
}

function dispatch(
  { geometry }: KernelContext,
  mode: Mode,
  dimensions: readonly Dimension[],
  operands: readonly Operand[],
  { scale = 1, whole = false }: { readonly scale?: number; readonly whole?: boolean } = {},
): Dispatch {
  if (dimensions.length > MOST_DIMENSIONS) {
    throw new RangeError(
      `the gradient of a reduction handles ${MOST_DIMENSIONS} alternations of reduced and kept dimensions, got ${dimensions.length}: reduce in two steps`,
    );
  }
  const padding = Array.from({ length: MOST_DIMENSIONS - dimensions.length }, () => ({ size: 1, stride: 0 }));
  const all = [...padding, ...dimensions];
  const elements = all.reduce((count, { size }) => count * size, 1);
  const last = all.at(-1)?.size ?? 1;
  const run = Math.max(4, geometry.neighboursPerThread);
  const runs = Math.ceil(last / run);
  const threads = (elements / last) * runs;
  const fields = all.map(({ stride }, i) => [`stride${i}`, u32(stride)] as const);
  const sizes = all.slice(1).map(({ size }, i) => [`size${i + 1}`, u32(size)] as const);
  return {
    label: `${mode} gradient [${dimensions.map(({ size }) => size).join(', ')}]`,
    code: expandTemplate('reduce_backward', source, {
      include: { nan, threads: threadsLibrary },
      when: {
        TIES: mode === 'equal' || mode === 'share',
        WHOLE: whole,
        SPREAD: mode === 'spread',
        EQUAL: mode === 'equal',
        SHARE: mode === 'share',
        SELECT: mode === 'select',
      },
    }),
    params: {
      threads: u32(threads),
      runs: u32(runs),
      run: u32(run),
      scale: f32(scale),
      ...Object.fromEntries([...sizes, ...fields]),
    },
    operands,
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: elements,
    bytes: movedBytes(operands),
  };
}
