import store from '../../shaders/gemm_store.wgsl';
import relu from '../../shaders/lib_relu.wgsl';
import patch from '../../shaders/lib_winograd_patch.wgsl';
import patchFields from '../../shaders/lib_winograd_patch_fields.wgsl';
import place from '../../shaders/lib_winograd_place.wgsl';
import placeFields from '../../shaders/lib_winograd_place_fields.wgsl';
import source from '../../shaders/winograd_registers.wgsl';
import { bytesOf, uniform, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import { bindAll } from './bindings.ts';
import { spread, storedType, type KernelContext } from './context.ts';
import { mapBytes } from './maps.ts';
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
import { FUSED, POINTS, type WinogradOperands, type WinogradPlan } from './winograd_plan.ts';

/** The convolution in one kernel, after its weights are transformed: for software adapters. */
export function winogradFused(
  { geometry }: KernelContext,
  plan: WinogradPlan,
  all: WinogradOperands,
  u: BufferRef,
): Dispatch {
  const { rows, inner, total } = plan;
  const { x, y, yAccess, bias, load, store: parts } = all;
  const { operands, substitute } = bindAll(
    [
      { buffer: u, access: 'read' },
      { buffer: y.buffer, access: yAccess },
      { buffer: x.buffer, access: 'read' },
    ],
    {
      ...furtherOperands(load),
      BIAS: bias === null ? null : { buffer: bias, access: 'read' },
      ...furtherOperands(parts),
    },
  );
  const rowTiles = Math.ceil(rows / FUSED.rows);
  const columnTiles = Math.ceil(total / FUSED.tiles);
  const [loading, storing] = [workOf(load), workOf(parts)];
  return {
    label: label(plan),
    code: expandTemplate('winograd_registers', source, {
      include: { relu, store, patch, patch_fields: patchFields, place, place_fields: placeFields },
      when: { ...patchFlags(all), ...storeFlags(all) },
      substitute: {
        ...substitute,
        B_BINDING_: 2,
        B_ELEMENT_: storedType(x.buffer.dtype),
        C_ELEMENT_: storedType(y.buffer.dtype),
      },
    }),
    params: {
      ...uniform(integers({ inner, tiles: total, row_tiles: rowTiles })),
      ...patchParams(plan, all),
      ...placeParams(plan, columnTiles, all),
    },
    operands,
    workgroups: spread(geometry, rowTiles * columnTiles),
    flops:
      (2 * POINTS * inner + 24) * rows * total +
      32 * inner * total * rowTiles +
      loading.flops +
      storing.flops,
    bytes: bytesOf(u) + mapBytes(x) + mapBytes(y) + loading.bytes + storing.bytes,
  };
}
