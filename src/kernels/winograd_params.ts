import { i32, uniform, type Operand, type ParamValue } from '../gpu/dispatch.ts';
import type { GemmPart } from './gemm.ts';
import type { WinogradOperands, WinogradPlan } from './winograd_plan.ts';

/*
 * What kernels of Winograd's convolution share: flags and parameters of the patches that they take (lib_winograd_patch) and of the
 * outputs that they make (lib_winograd_place, gemm_store).
 */

/** For profiles and error messages. */
export const label = ({ direction }: WinogradPlan): string =>
  `conv2d ${direction === 'forward' ? 'forward' : 'backward data'} 3x3 winograd`;

export const integers = (values: Readonly<Record<string, number>>): Record<string, ParamValue> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, i32(value)]));

/** Parameters of lib_winograd_patch: sizes that are equal in many layers, and places that are not. */
export function patchParams(plan: WinogradPlan, { x, load }: WinogradOperands): Record<string, ParamValue> {
  const { tiles, from, padding } = plan;
  return {
    ...integers({ tiles_x: tiles.x, tiles_of_image: tiles.y * tiles.x, b_height: from.y, b_width: from.x }),
    ...uniform(
      integers({
        b_image: x.bufferChannels * x.pixels,
        b_first: x.offset * x.pixels,
        pad_y: padding.y,
        pad_x: padding.x,
        ...merged(load.map((part) => part.params)),
      }),
    ),
  };
}

export function patchFlags({ load }: WinogradOperands) {
  const switches = merged(load.map(({ when }) => when));
  return {
    TABLE: load.length > 0,
    B_ACTIVATION: switches['B_ACTIVATION'] ?? false,
    B_RELU: switches['B_RELU'] ?? false,
    B_GRADIENT: switches['B_GRADIENT'] ?? false,
  };
}

/** Parameters of lib_winograd_place and of gemm_store. */
export function placeParams(
  { tiles, to, rows, images }: WinogradPlan,
  columnTiles: number,
  { y, bias, store: parts }: WinogradOperands,
): Record<string, ParamValue> {
  const pixels = to.y * to.x;
  return {
    ...integers({ tiles_x: tiles.x, tiles_of_image: tiles.y * tiles.x, c_height: to.y, c_width: to.x }),
    ...uniform(
      integers({
        groups: 1,
        rows,
        columns: images * pixels,
        column_tiles: columnTiles,
        c_row: pixels,
        c_length: 0,
        c_image: y.bufferChannels * pixels,
        c_first: y.offset * pixels,
        ...(bias !== null && { bias_group: 0, bias_row: 1, bias_column: 0 }),
        ...merged(parts.map((part) => part.params)),
      }),
    ),
  };
}

export function storeFlags({ bias, store: parts }: WinogradOperands) {
  const switches = merged(parts.map(({ when }) => when));
  const [moments, norm] = [switches['MOMENTS'] ?? false, switches['NORM'] ?? false];
  return {
    MOMENTS: moments,
    NORM: norm,
    PARTIALS: moments || norm,
    NORM_RELU: switches['NORM_RELU'] ?? false,
    ACCUMULATE: switches['ACCUMULATE'] ?? false,
    BIAS: bias !== null,
    QUADS: false,
    VECTOR: true,
  };
}

/** Operands of the parts, by the names of their bindings; `access` of those that are written. */
export function furtherOperands(
  parts: readonly GemmPart[],
  access: Operand['access'] = 'write',
): Record<string, Operand> {
  const operands = Object.entries(merged(parts.map((part) => part.operands)));
  return Object.fromEntries(
    operands.map(([name, operand]) => [name, operand.access === 'write' ? { ...operand, access } : operand]),
  );
}

export const workOf = (parts: readonly GemmPart[]) => ({
  flops: sum(parts.map(({ flops }) => flops)),
  bytes: sum(parts.map(({ bytes }) => bytes)),
});

const merged = <T>(records: readonly Readonly<Record<string, T>>[]): Record<string, T> =>
  Object.fromEntries(records.flatMap((record) => Object.entries(record)));

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
