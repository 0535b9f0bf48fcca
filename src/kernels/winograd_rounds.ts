import store from '../../shaders/gemm_store.wgsl';
import relu from '../../shaders/lib_relu.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import patch from '../../shaders/lib_winograd_patch.wgsl';
import patchFields from '../../shaders/lib_winograd_patch_fields.wgsl';
import place from '../../shaders/lib_winograd_place.wgsl';
import placeFields from '../../shaders/lib_winograd_place_fields.wgsl';
import inputSource from '../../shaders/winograd_input.wgsl';
import outputSource from '../../shaders/winograd_output.wgsl';
import { u32, uniform, type BufferRef, type Dispatch, type Operand } from '../gpu/dispatch.ts';
import { bindAll } from './bindings.ts';
import { spread, storedType, type KernelContext } from './context.ts';
import type { ConvChoice } from './conv_choice.ts';
import { gemm } from './gemm.ts';
import { tileForComputedB } from './gemm_choice.ts';
import { mapBytes } from './maps.ts';
import { matmulProblem } from './matmul.ts';
import { expandTemplate } from './template.ts';
import {
  furtherOperands,
  integers,
  label,
  patchFlags,
  patchParams,
  placeParams,
  storeFlags,
  workOf,
} from './winograd_params.ts';
import { LANES, POINTS, TILE_BYTES } from './winograd_plan.ts';
import type { Round, WinogradOperands, WinogradPlan } from './winograd_plan.ts';

/** The convolution after its weights are transformed: in each round input tiles V, products M = U V, and outputs. */
export function winogradRounds(
  context: KernelContext,
  plan: WinogradPlan,
  operands: WinogradOperands,
  u: BufferRef,
  choice: Partial<ConvChoice>,
): Dispatch[] {
  const { rows, inner, rounds } = plan;
  const most = Math.max(...rounds.map(({ stride }) => stride));
  const v = context.temporary(POINTS * inner * most);
  const m = context.temporary(POINTS * rows * most);
  return rounds.flatMap((round) => [
    transformedInput(context, plan, round, operands, v),
    ...product(context, plan, round, { u, v, m }, choice),
    transformedOutput(context, plan, round, operands, m),
  ]);
}

/** How a round uses a buffer of which it may write a part only. */
const partial = ({ rounds }: WinogradPlan, whole: Operand['access'] = 'write'): Operand['access'] =>
  rounds.length > 1 ? 'readwrite' : whole;

/** The share of the tiles that a round takes. */
const shareOf = ({ total }: WinogradPlan, { count }: Round): number => count / total;

function transformedInput(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  round: Round,
  all: WinogradOperands,
  v: BufferRef,
): Dispatch {
  const { inner } = plan;
  const { x, load } = all;
  const { operands, substitute } = bindAll(
    [
      { buffer: v, access: partial(plan) },
      { buffer: x.buffer, access: 'read' },
    ],
    furtherOperands(load),
  );
  const { count, columns, stride, first } = round;
  const threads = inner * columns;
  const share = shareOf(plan, round);
  const { flops, bytes } = workOf(load);
  return {
    label: `${label(plan)}, input`,
    code: expandTemplate('winograd_input', inputSource, {
      include: { threads: threadsLibrary, relu, patch, patch_fields: patchFields },
      when: { VECTOR: true, ...patchFlags(all) },
      substitute: { ...substitute, B_BINDING_: 1, B_ELEMENT_: storedType(x.buffer.dtype) },
    }),
    params: {
      ...patchParams(plan, all),
      ...uniform({
        threads: u32(threads),
        ...integers({ channels: inner, count, columns, stride, first_tile: first }),
      }),
    },
    operands,
    workgroups: spread(geometry, Math.ceil(threads / 64)),
    flops: 32 * threads + share * flops,
    bytes: TILE_BYTES * threads + share * (mapBytes(x) + bytes),
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
  const tile = choice.tile ?? tileForComputedB(context.geometry, rows);
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
    { ...choice, ...(tile !== undefined && { tile }) },
  );
}

function transformedOutput(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  round: Round,
  all: WinogradOperands,
  m: BufferRef,
): Dispatch {
  const { rows, lanes, block, parts } = plan;
  const { y, yAccess, bias, store: stored } = all;
  const { operands, substitute } = bindAll(
    [
      { buffer: m, access: 'read' },
      { buffer: y.buffer, access: partial(plan, yAccess) },
    ],
    {
      BIAS: bias === null ? null : { buffer: bias, access: 'read' },
      ...furtherOperands(stored, partial(plan)),
    },
  );
  const { count, stride, first, firstPart, blocks } = round;
  const teams = rows * blocks;
  const team = geometry.teamReductions;
  const share = shareOf(plan, round);
  const { flops, bytes } = workOf(stored);
  return {
    label: `${label(plan)}, output`,
    code: expandTemplate('winograd_output', outputSource, {
      include: { relu, store, place, place_fields: placeFields },
      when: { ...storeFlags(all), TEAM: team },
      substitute: { ...substitute, C_ELEMENT_: storedType(y.buffer.dtype) },
    }),
    params: {
      ...placeParams(plan, parts, all),
      ...uniform(integers({ count, stride, first_tile: first, first_part: firstPart, lanes, block, blocks })),
    },
    operands,
    workgroups: spread(geometry, team ? teams : Math.ceil((teams * lanes) / LANES)),
    flops: 24 * rows * count + share * flops,
    bytes: TILE_BYTES * rows * count + share * (mapBytes(y) + bytes),
  };
}
