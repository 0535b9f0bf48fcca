import relu from '../../shaders/lib_relu.wgsl';
import writeSource from '../../shaders/map_write.wgsl';
import threadsLibrary from '../../shaders/lib_threads.wgsl';
import { DTYPE_BYTES, u32, type Dispatch } from '../gpu/dispatch.ts';
import { bindAll } from './bindings.ts';
import type { KernelContext } from './context.ts';
import { accessOf, elementsOf, GRADIENT_ROWS, mapBytes } from './maps.ts';
import type { ChannelTable, MapLoad, MapView } from './maps.ts';
import { elementType, isVector, planRuns, shapeOf } from './norm.ts';
import { placeParams } from './norm_fused.ts';
import { dropoutPart, type Dropout } from './random.ts';
import { expandTemplate } from './template.ts';

/** The buffers that a load reads. */
interface LoadOperands {
  readonly x: MapView;
  readonly input: MapView | null;
  readonly table: ChannelTable | null;
  readonly rows: number;
  readonly flops: number;
}

function operandsOf(load: MapLoad): LoadOperands {
  switch (load.kind) {
    case 'plain':
      return { x: load.map, input: null, table: null, rows: 0, flops: 0 };
    case 'activation':
      return { x: load.map, input: null, table: load.norm, rows: 2, flops: 3 };
    case 'gradient':
      return {
        x: load.gradient,
        input: load.input,
        table: load.coefficients,
        rows: GRADIENT_ROWS.length,
        flops: 4,
      };
  }
}

/** Materializes a map: writes to memory what a load computes, dense or into a slice; if dense, optionally after a dropout. */
export function materialize(
  { geometry }: KernelContext,
  load: MapLoad,
  out: MapView,
  dropout: Dropout | null = null,
): Dispatch {
  const drop = dropoutPart(dropout);
  const { x, input, table, rows, flops } = operandsOf(load);
  const shape = shapeOf(out);
  const runs = planRuns(geometry, shape);
  const { operands, substitute } = bindAll(
    [
      { buffer: x.buffer, access: 'read' },
      { buffer: out.buffer, access: accessOf(out) },
    ],
    {
      TABLE: table === null ? null : { buffer: table.buffer, access: 'read' },
      INPUT: input === null ? null : { buffer: input.buffer, access: 'read' },
    },
  );
  const maps = [x, out, ...(input === null ? [] : [input])];
  const moved = maps.reduce((sum, map) => sum + mapBytes(map), 0) + rows * out.channels * DTYPE_BYTES.f32;
  return {
    label: `write ${load.kind} [${out.images}, ${out.channels}, ${out.pixels}]${dropout === null ? '' : ', dropout'}`,
    code: expandTemplate('map_write', writeSource, {
      include: { ...drop.include, relu, threads: threadsLibrary },
      when: {
        ...drop.when,
        VECTOR: isVector(shape),
        TABLE: table !== null,
        GRADIENT: input !== null,
        RELU: load.kind === 'activation' && load.relu,
      },
      substitute: { ...substitute, SCALARS_BINDING_: operands.length + 1, ELEMENT_: elementType(shape) },
    }),
    params: {
      ...runs.params,
      ...placeParams('x_', x, shape),
      ...placeParams('y_', out, shape),
      ...(table !== null && {
        table_channels: u32(table.bufferChannels),
        table_first: u32(table.offset),
      }),
      ...(input !== null && placeParams('input_', input, shape)),
      ...drop.params,
    },
    operands,
    usesScalars: drop.usesScalars,
    workgroups: runs.workgroups,
    flops: flops * elementsOf(out),
    bytes: moved,
  };
}
