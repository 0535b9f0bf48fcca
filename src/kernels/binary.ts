import source from '../../shaders/binary.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import strided from '../../shaders/lib_strided.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { bytesOf, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { spread, wordType } from './context.ts';
import { planWalk, type View } from './strided.ts';
import { expandTemplate } from './template.ts';

/** Functions in shaders/binary.wgsl whose result has the type of the operands. */
export type Arithmetic =
  | 'add'
  | 'subtract'
  | 'subtract_from'
  | 'multiply'
  | 'multiply_share'
  | 'divide'
  | 'divide_into'
  | 'maximum'
  | 'minimum';

/** Functions in shaders/binary.wgsl that give f32 0 or 1 (or 0.5, for the shares). */
const COMPARISONS = [
  'equal',
  'not_equal',
  'less',
  'less_equal',
  'greater',
  'greater_equal',
  'share_of_greater',
  'share_of_less',
] as const;

export type Comparison = (typeof COMPARISONS)[number];

interface BinaryOperand {
  readonly buffer: BufferRef;
  readonly shape: readonly number[];
}

/** y = f(a, b) in `shape`, to which a and b broadcast; b may be a number. */
export function binary(
  geometry: AdapterProfile,
  name: Arithmetic | Comparison,
  a: BinaryOperand,
  b: BinaryOperand | number,
  y: BufferRef,
  shape: readonly number[],
): Dispatch {
  const viewA = broadcastView(a.shape, shape);
  // A number has no strides that could keep dimensions from merging.
  const viewB = typeof b === 'number' ? viewA : broadcastView(b.shape, shape);
  const walk = planWalk(geometry, shape, viewA, viewB, true);
  const dtype = wordType(a.buffer.dtype);
  const wide = (type: string): string => (walk.vector ? `vec4<${type}>` : type);
  const inputs = [a.buffer, ...(typeof b === 'number' ? [] : [b.buffer])];
  const isComparison = COMPARISONS.some((comparison) => comparison === name);
  return {
    label: `${name} [${shape.join(', ')}]`,
    code: expandTemplate('binary', source, {
      include: { strided, nan, threads: threadsLibrary },
      when: {
        ...walk.when,
        NUMBER: typeof b === 'number',
        ARITHMETIC: !isComparison,
        FLOAT: dtype === 'f32',
      },
      substitute: {
        FUNCTION_: name,
        TYPE_: wide(dtype),
        BOOL_: wide('bool'),
        IS_NAN_: walk.vector ? 'is_nan4' : 'is_nan',
        RESULT_: wide(isComparison ? 'f32' : dtype),
        A_ELEMENT_: walk.repeats[0] ? dtype : wide(dtype),
        B_ELEMENT_: walk.repeats[1] ? dtype : wide(dtype),
        NUMBER_TYPE_: dtype,
        ITEMS_: `${walk.items}u`,
      },
    }),
    params: { ...walk.params, number: { type: dtype, value: typeof b === 'number' ? b : 0 } },
    operands: [
      ...inputs.map((buffer) => ({ buffer, access: 'read' as const })),
      { buffer: y, access: 'write' },
    ],
    workgroups: spread(geometry, Math.ceil(walk.threads / 64)),
    flops: y.length,
    bytes: [...inputs, y].reduce((sum, buffer) => sum + bytesOf(buffer), 0),
  };
}

/** A dense array as its broadcast to `shape` sees it: aligned at the right, stride 0 where it repeats. */
export function broadcastView(from: readonly number[], shape: readonly number[]): View {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  for (let i = 1; i <= from.length; i++) {
    const size = from.at(-i) ?? 1;
    if (size !== 1) strides[shape.length - i] = stride;
    stride *= size;
  }
  return { offset: 0, strides };
}
