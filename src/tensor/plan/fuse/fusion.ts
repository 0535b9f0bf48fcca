import type { BufferRef, Dispatch } from '../../../gpu/dispatch.ts';
import type { KernelContext } from '../../../kernels/context.ts';
import { materialize } from '../../../kernels/map_ops.ts';
import {
  wholeMap,
  type ActivationLoad,
  type GradientLoad,
  type PlainLoad,
  type ChannelTable,
  type MapLoad,
  type MapView,
  type MomentPartials,
} from '../../../kernels/maps.ts';
import { stridedCopy } from '../../../kernels/movement.ts';
import { avgPoolGradient, type PoolShape } from '../../../kernels/pool.ts';
import { trackedStatsOp } from '../../ops/norm.ts';
import type { RecordedNode } from '../../graph/recording.ts';
import { Value } from '../../graph/value.ts';
import { activationLoad, loadOf, type Form, type Norm } from './forms.ts';
import { Graph, isInternal } from './graph.ts';
import { concatSlots } from './slots.ts';

/** Statistics of channels of a buffer that are known at a point of the plan. */
interface Moments {
  /** Rows mean and variance. */
  readonly table: ChannelTable;
  readonly known: Set<number>;
  /** Partial statistics that a convolution made on the way, by the first channel they are of. */
  readonly partials: Map<number, MomentPartials>;
}

/** Shape of a feature map without its buffer. */
export interface MapShape {
  readonly images: number;
  readonly channels: number;
  readonly pixels: number;
}

/** The state of a lowering that fuses: the dispatches so far and how each value is held. */
export class Fusion {
  readonly graph: Graph;
  readonly dispatches: Dispatch[] = [];
  /** Nodes whose work was done by another's dispatches. */
  readonly done = new Set<RecordedNode>();
  readonly forms = new Map<Value, Form>();
  /** Norms by their value of statistics. */
  readonly norms = new Map<Value, Norm>();
  /** Nodes that take statistics from before, by their value of statistics. */
  readonly running = new Map<Value, RecordedNode>();
  /** Averages of a map that went before a convolution, by the map's value. */
  readonly averages = new Map<Value, { readonly pool: PoolShape; readonly map: MapView }[]>();
  readonly #slots: ReadonlyMap<Value, MapView>;
  readonly #order: ReadonlyMap<RecordedNode, number>;
  /** What nodes change in place, other than running statistics, and where in the order. */
  readonly #changes: readonly { readonly at: number; readonly value: Value }[];
  /** Values with a form that lie in memory as recorded all the same. */
  readonly #inMemory = new Set<Value>();
  readonly #moments = new Map<BufferRef, Moments>();
  readonly #contextOf: (node: RecordedNode) => KernelContext;
  readonly #lower: (node: RecordedNode) => readonly Dispatch[];

  constructor(
    nodes: readonly RecordedNode[],
    contextOf: (node: RecordedNode) => KernelContext,
    lower: (node: RecordedNode) => readonly Dispatch[],
  ) {
    this.graph = new Graph(nodes);
    this.#slots = concatSlots(nodes);
    this.#order = new Map(nodes.map((node, i) => [node, i]));
    this.#changes = nodes.flatMap(({ op, inputs }, at) =>
      op === trackedStatsOp
        ? []
        : (op.mutates ?? []).flatMap((index) => inputs[index] ?? []).map((value) => ({ at, value })),
    );
    this.#contextOf = contextOf;
    this.#lower = lower;
  }

  context(node: RecordedNode): KernelContext {
    return this.#contextOf(node);
  }

  /** Lowers a node as if it stood alone, on inputs that lie in memory. */
  plain(node: RecordedNode): void {
    for (const input of node.inputs) this.dense(input, node);
    this.dispatches.push(...this.#lower(node));
    for (const output of node.outputs) this.fillSlot(output, node);
  }

  /** Where a map is to be written: its place in a concatenation, or the value itself. */
  target(value: Value, { images, channels, pixels }: MapShape): MapView {
    return this.#slots.get(value) ?? wholeMap(value, images, channels, pixels);
  }

  /** Notes that the value was written to its target. */
  written(value: Value): void {
    const slot = this.#slots.get(value);
    if (slot !== undefined && slot.buffer !== value) this.forms.set(value, { kind: 'map', view: slot });
  }

  /** Where a map lies in memory; puts it there if it is only held in a form. */
  view(value: Value, { images, channels, pixels }: MapShape, reader: RecordedNode): MapView {
    const form = this.forms.get(value);
    if (form?.kind === 'map') return form.view;
    this.dense(value, reader);
    return wholeMap(value, images, channels, pixels);
  }

  /** How a kernel's load gets a map: a norm of another where that is its form, else from memory. */
  loadActivation(value: Value, shape: MapShape, reader: RecordedNode): PlainLoad | ActivationLoad {
    const form = this.forms.get(value);
    if (form?.kind === 'activation') return activationLoad(form);
    return { kind: 'plain', map: this.view(value, shape, reader) };
  }

  /**
   * The same for a gradient, which may still lack its norm's correction. GPUs correct it in the load; software adapters, which
   * load each element once for every 16 rows of the product, are faster when it is written out once.
   */
  loadGradient(value: Value, shape: MapShape, reader: RecordedNode): PlainLoad | GradientLoad {
    const form = this.forms.get(value);
    if (form?.kind === 'gradient' && this.context(reader).geometry.correctGradientInLoad) return form;
    return { kind: 'plain', map: this.view(value, shape, reader) };
  }

  /** Makes sure that a value lies in memory as it was recorded. */
  dense(value: Value, reader: RecordedNode): void {
    const norm = this.norms.get(value);
    const form = this.forms.get(value);
    if (this.#inMemory.has(value) || (form === undefined && norm === undefined)) return;
    this.#inMemory.add(value);
    const context = this.context(reader);
    if (norm !== undefined) {
      this.dispatches.push(statisticsFrom(context, norm, value));
      return;
    }
    if (form === undefined) return;
    const load = loadOf(form);
    if (load !== null) this.dispatches.push(materialize(context, load, denseTarget(load, value)));
    else if (form.kind === 'beforePool' || form.kind === 'afterPool') {
      for (const input of form.node.inputs) this.dense(input, form.node);
      this.dispatches.push(...this.#lower(form.node));
    } else if (form.kind === 'spread') {
      this.dispatches.push(avgPoolGradient(context, form.load.map.buffer, value, form.pool, true));
    }
  }

  /** Gives a value a form; it is written out at once where somebody outside the plan may ask for it. */
  hold(value: Value, form: Form, node: RecordedNode): void {
    this.forms.set(value, form);
    if (!isInternal(value)) this.dense(value, node);
    else if (this.#slots.has(value)) this.#intoSlot(value, form, node);
  }

  /** Whether what `node` reads stays as it is until the last reader of the value, so that node's work can be left to these. */
  canWait(node: RecordedNode, value: Value): boolean {
    const from = this.#order.get(node) ?? 0;
    const to = Math.max(from, ...this.graph.readersOf(value).map((reader) => this.#order.get(reader) ?? 0));
    return !this.#changes.some(
      ({ at, value: changed }) =>
        at > from && at < to && node.inputs.some((input) => overlap(input, changed)),
    );
  }

  /** What is known of the channels of a buffer. */
  moments({ buffer, bufferChannels }: MapView): Moments {
    let moments = this.#moments.get(buffer);
    // What may change on the way is measured each time.
    const lasting =
      buffer instanceof Value &&
      buffer.place === null &&
      !this.#changes.some(({ value }) => value === buffer);
    if (moments === undefined || !lasting) {
      const table = {
        buffer: new Value('f32', 2 * bufferChannels, 'channel statistics'),
        bufferChannels,
        offset: 0,
      };
      this.#moments.set(buffer, (moments = { table, known: new Set(), partials: new Map() }));
    }
    return moments;
  }

  #intoSlot(value: Value, form: Form, node: RecordedNode): void {
    const slot = this.#slots.get(value);
    const load = loadOf(form);
    if (slot === undefined || (form.kind === 'map' && form.view.buffer === slot.buffer)) return;
    if (load === null) throw new Error(`${value.label} cannot be made in its place of a concatenation`);
    if (!readsFrom(load, slot.buffer)) {
      this.dispatches.push(materialize(this.context(node), load, slot));
      return;
    }
    this.dense(value, node);
    this.fillSlot(value, node);
  }

  /** Copies a value that lies in memory to its place in a concatenation, if it has one. */
  fillSlot(value: Value, node: RecordedNode): void {
    const slot = this.#slots.get(value);
    if (slot === undefined || slot.buffer === value) return;
    const { images, channels, pixels } = slot;
    const map = wholeMap(value, images, channels, pixels);
    this.dispatches.push(materialize(this.context(node), { kind: 'plain', map }, slot));
    this.forms.set(value, { kind: 'map', view: slot });
    this.#inMemory.add(value);
  }
}

function overlap(a: Value, b: Value): boolean {
  if (a === b || a.place === null || b.place === null) return a === b;
  const [x, y] = [a.place.storage, b.place.storage];
  return x.buffer === y.buffer && x.offset < y.offset + y.bytes && y.offset < x.offset + x.bytes;
}

/** Whether a load reads the buffer: one dispatch cannot read and write it. */
export const readsFrom = (load: MapLoad, buffer: BufferRef): boolean =>
  load.kind === 'gradient'
    ? load.gradient.buffer === buffer || load.input.buffer === buffer
    : load.map.buffer === buffer;

function denseTarget(load: MapLoad, value: Value): MapView {
  const { images, channels, pixels } = load.kind === 'gradient' ? load.gradient : load.map;
  return wholeMap(value, images, channels, pixels);
}

/** [mean, invstd] as other ops read them, out of a norm's table, whose rows 2 and 3 they are. */
function statisticsFrom({ geometry }: KernelContext, { input, table }: Norm, value: Value): Dispatch {
  const { channels } = input;
  const view = { offset: 2 * table.bufferChannels + table.offset, strides: [table.bufferChannels, 1] };
  return stridedCopy(
    geometry,
    [2, channels],
    { buffer: table.buffer, view },
    { buffer: value, view: { offset: 0, strides: [channels, 1] } },
    true,
  );
}
