import { bytesOf, DTYPE_BYTES, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { ConvMethod, KernelContext, Tunable, TunedPartials, TunedWork } from './context.ts';
import { methodOf } from './conv_choice.ts';
import type { ConvChoice, ConvDirection } from './conv_choice.ts';
import { settleMethod } from './conv_method.ts';
import { dataProblem, forwardProblem, weightProblem } from './conv_problem.ts';
import type { Conv2dExtent } from './conv_problem.ts';
import { gemm, settleGemm } from './gemm.ts';
import type { GemmPart, GemmProblem } from './gemm.ts';
import { chooseGemm, partsOf, tileForComputedB } from './gemm_choice.ts';
import type { GemmChoice } from './gemm_choice.ts';
import { accessOf, elementsOf, GRADIENT_ROWS, mapBytes, NORM_ROWS } from './maps.ts';
import type {
  ActivationLoad,
  ChannelTable,
  GradientLoad,
  MapView,
  MomentPartials,
  PlainLoad,
  SumPartials,
} from './maps.ts';
import { winograd } from './winograd.ts';
import { planWinograd } from './winograd_plan.ts';
import type { WinogradOperands } from './winograd_plan.ts';

/** conv2d from a plain or activated map; padding is zero after the activation, as it is in conv2d(relu(norm(x))). */
interface FusedForward {
  readonly x: PlainLoad | ActivationLoad;
  readonly weight: BufferRef;
  readonly bias: BufferRef | null;
  readonly y: MapView;
  /** Also statistics of y's channels, for the norms that read it. */
  readonly moments: boolean;
}

/**
 * y = conv2d(x, weight) + bias, x made in the load and y's statistics taken in the store. One dispatch: the sum is not
 * split; several by Winograd. `choice` overrides the method and the geometry, for tests and tuning.
 */
export function convForwardFused(
  context: KernelContext,
  extent: Conv2dExtent,
  { x, weight, bias, y, moments }: FusedForward,
  choice?: Partial<ConvChoice>,
): { dispatches: Dispatch[]; partials: MomentPartials | null } {
  return fusedConv(context, extent, choice, {
    direction: 'forward',
    operands: { x: x.map, load: loadPart('B_INNER', x), weight, bias, y, yAccess: accessOf(y) },
    channels: extent.outChannels,
    kind: moments ? 'moments' : null,
    store: (partials) => (partials === null ? [] : [momentsPart(partials, y)]),
    problem: () => forwardProblem(extent, x, weight, bias, y),
  });
}

/**
 * The gradient of a norm's output (of its ReLU's with `relu`), taken on to the norm's weight: g is masked where
 * scale x + shift <= 0, `gradient` becomes weight g, and the parts' sums of g xhat and g are kept.
 */
export interface NormOutput {
  readonly kind: 'norm';
  /** The norm's input. */
  readonly x: MapView;
  readonly norm: ChannelTable;
  readonly relu: boolean;
  readonly gradient: MapView;
  readonly mode: 'store' | 'accumulate';
}

interface FusedData {
  readonly dy: PlainLoad | GradientLoad;
  readonly weight: BufferRef;
  readonly out: { readonly kind: 'plain'; readonly dx: MapView } | NormOutput;
}

/** The gradient of conv2d's input, dy made in the load and taken through a norm in the store. One dispatch; several by Winograd. */
export function convDataFused(
  context: KernelContext,
  extent: Conv2dExtent,
  { dy, weight, out }: FusedData,
  choice?: Partial<ConvChoice>,
): { dispatches: Dispatch[]; partials: SumPartials | null } {
  const dx = out.kind === 'norm' ? out.gradient : out.dx;
  const access = out.kind === 'norm' && out.mode === 'accumulate' ? 'readwrite' : accessOf(dx);
  return fusedConv(context, extent, choice, {
    direction: 'data',
    operands: {
      x: mapOf(dy),
      load: loadPart('B_INNER', dy),
      weight,
      bias: null,
      y: dx,
      yAccess: access,
    },
    channels: extent.inChannels,
    kind: out.kind === 'norm' ? 'sums' : null,
    store: (partials) => (out.kind === 'norm' && partials !== null ? [normPart(partials, out)] : []),
    problem: () => ({ ...dataProblem(extent, mapOf(dy), weight, dx), cAccess: access }),
  });
}

/** A convolution or its data gradient with what is fused into it. */
interface FusedConv {
  readonly direction: ConvDirection;
  readonly operands: Omit<WinogradOperands, 'store'>;
  /** Of the result. */
  readonly channels: number;
  readonly kind: TunedPartials['kind'] | null;
  readonly store: (partials: TunedPartials | null) => readonly GemmPart[];
  /** By the direct method, without what is fused. */
  readonly problem: () => GemmProblem;
}

/** Without `choice`, by the method that was measured to be best on the adapter, or the usual one. */
function fusedConv(
  context: KernelContext,
  extent: Conv2dExtent,
  choice: Partial<ConvChoice> | undefined,
  { direction, operands, channels, kind, store, problem }: FusedConv,
): TunedWork {
  const parts = (partials: TunedPartials | null): readonly GemmPart[] => [
    ...operands.load,
    ...store(partials),
  ];
  const by = (to: KernelContext, method: ConvMethod): TunedWork => {
    const plan = planWinograd(to.geometry, extent, direction, { ...choice, method });
    if (plan === null) return makeWhole(to, problem(), choice, { kind, parts });
    const partials = kind === null ? null : roomFor(to, plan.parts, channels, kind);
    return { dispatches: winograd(to, plan, { ...operands, store: store(partials) }, choice), partials };
  };
  if (choice !== undefined) return by(context, methodOf(context.geometry, extent, direction, choice));
  const named = (): GemmProblem => ({ ...problem(), parts: parts(kind === null ? null : unsized(kind)) });
  const make: Tunable['make'] = (to, { method = 'direct' }) => by(to, method);
  return by(context, settleMethod(context, extent, direction, named, make));
}

interface FusedWeight {
  readonly dy: PlainLoad | GradientLoad;
  readonly x: PlainLoad | ActivationLoad;
  readonly dw: BufferRef;
}

/** The gradient of conv2d's weight, dy and x made in the loads. One dispatch, two where the sum is split. */
export function convWeightFused(
  context: KernelContext,
  extent: Conv2dExtent,
  { dy, x, dw }: FusedWeight,
  choice?: Partial<GemmChoice>,
): Dispatch[] {
  const problem = weightProblem(context, extent, mapOf(dy), x.map, dw);
  return gemm(context, { ...problem, parts: [...loadPart('A_ROW', dy), ...loadPart('B_COLUMN', x)] }, choice);
}

const mapOf = (load: PlainLoad | GradientLoad): MapView => (load.kind === 'plain' ? load.map : load.gradient);

const read = (buffer: BufferRef) => ({ buffer, access: 'read' }) as const;

/** What is fused with a product in one dispatch: its loads, and statistics that its store makes. */
interface Whole {
  readonly kind: TunedPartials['kind'] | null;
  readonly parts: (partials: TunedPartials | null) => readonly GemmPart[];
}

/** Without `choice`, the one that was measured to be best on the adapter, or the usual one. */
function makeWhole(
  context: KernelContext,
  problem: GemmProblem,
  choice: Partial<GemmChoice> | undefined,
  whole: Whole,
): TunedWork {
  const usual = chooseWhole(context, problem, choice);
  const make = (to: KernelContext, chosen: Partial<GemmChoice>): TunedWork => {
    const full = { ...usual, ...chosen };
    const partials = whole.kind === null ? null : partialsOf(to, problem, full, whole.kind);
    return { dispatches: gemm(to, { ...problem, parts: whole.parts(partials) }, full), partials };
  };
  if (choice !== undefined) return make(context, usual);
  const named = { ...problem, parts: whole.parts(whole.kind === null ? null : unsized(whole.kind)) };
  return make(context, settleGemm(context, named, usual, true, make));
}

/** Partials in a problem that is only named. */
const unsized = (kind: TunedPartials['kind']): TunedPartials => ({
  kind,
  buffer: { dtype: 'f32', length: 1 },
  parts: 1,
  channels: 1,
});

/** A choice without split sums: the store needs the whole sum. */
function chooseWhole(
  { geometry }: KernelContext,
  problem: GemmProblem,
  choice: Partial<GemmChoice> = {},
): GemmChoice {
  const tile = choice.tile ?? tileForComputedB(geometry, problem.rows);
  return chooseGemm(geometry, problem, { ...choice, ...(tile !== undefined && { tile }), splits: 1 });
}

/** An operand of the product, and which of its indices is the channel. */
type OperandAxis = 'A_ROW' | 'B_INNER' | 'B_COLUMN';

/** What an operand's load adds to the plain product. */
function loadPart(axis: OperandAxis, load: PlainLoad | ActivationLoad | GradientLoad): GemmPart[] {
  const operand = axis === 'A_ROW' ? 'A' : 'B';
  const name = operand.toLowerCase();
  const inner = { B_INNER: axis === 'B_INNER' };
  switch (load.kind) {
    case 'plain':
      return [];
    case 'activation':
      return [
        {
          when: { ...inner, B_ACTIVATION: true, B_RELU: load.relu },
          operands: { [`${operand}_TABLE`]: read(load.norm.buffer) },
          params: tableParams(name, load.norm),
          bytes: 2 * load.map.channels * DTYPE_BYTES.f32,
          flops: 3 * elementsOf(load.map),
        },
      ];
    case 'gradient':
      return [
        {
          when: { ...(operand === 'B' && inner), [`${operand}_GRADIENT`]: true },
          operands: {
            [`${operand}_X`]: read(load.input.buffer),
            [`${operand}_TABLE`]: read(load.coefficients.buffer),
          },
          params: {
            ...apartParams(name, load.gradient, load.input),
            ...tableParams(name, load.coefficients),
          },
          bytes: mapBytes(load.input) + GRADIENT_ROWS.length * load.input.channels * DTYPE_BYTES.f32,
          flops: 4 * elementsOf(load.input),
        },
      ];
  }
}

const momentsPart = (partials: MomentPartials, y: MapView): GemmPart => ({
  when: { MOMENTS: true },
  operands: { PARTIALS: { buffer: partials.buffer, access: 'write' } },
  params: {},
  bytes: bytesOf(partials.buffer),
  flops: 4 * elementsOf(y),
});

const normPart = (partials: SumPartials, out: NormOutput): GemmPart => ({
  when: { NORM: true, NORM_RELU: out.relu, ACCUMULATE: out.mode === 'accumulate' },
  operands: {
    C_X: read(out.x.buffer),
    C_TABLE: read(out.norm.buffer),
    PARTIALS: { buffer: partials.buffer, access: 'write' },
  },
  params: { ...apartParams('c', out.gradient, out.x), ...tableParams('c', out.norm) },
  // x, and the gradient once more where it is added to.
  bytes:
    mapBytes(out.x) +
    (out.mode === 'accumulate' ? mapBytes(out.gradient) : 0) +
    NORM_ROWS.length * out.x.channels * DTYPE_BYTES.f32 +
    bytesOf(partials.buffer),
  flops: 8 * elementsOf(out.x),
});

/** How far `other` lies from `map`, whose layout the loader knows. */
const apartParams = (name: string, map: MapView, other: MapView): Record<string, number> => ({
  [`${name}_apart_image`]: (other.bufferChannels - map.bufferChannels) * map.pixels,
  [`${name}_apart_first`]: (other.offset - map.offset) * map.pixels,
});

const tableParams = (name: string, table: ChannelTable): Record<string, number> => ({
  [`${name}_table_channels`]: table.bufferChannels,
  [`${name}_table_first`]: table.offset,
});

/** Numbers that a part of a channel has. */
const ROWS_OF = { moments: 3, sums: 2 } as const;

/** Room for statistics of C's rows. */
const partialsOf = (
  context: KernelContext,
  { columns, groups, rows }: GemmProblem,
  choice: GemmChoice,
  kind: TunedPartials['kind'],
): TunedPartials => roomFor(context, partsOf(columns, choice), groups * rows, kind);

const roomFor = (
  context: KernelContext,
  parts: number,
  channels: number,
  kind: TunedPartials['kind'],
): TunedPartials => ({
  kind,
  buffer: context.temporary(ROWS_OF[kind] * parts * channels),
  parts,
  channels,
});
