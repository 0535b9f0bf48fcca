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
import { concatOp } from '../../ops/movement.ts';
import { trackedStatsOp } from '../../ops/norm.ts';
import { reshapeOp } from '../../graph/basic_ops.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { LogicalStorage } from '../../graph/storage.ts';
import type { Value } from '../../graph/value.ts';
import { activationLoad, loadOf, type Form, type Norm } from './forms.ts';
import { Graph, isInternal } from './graph.ts';
import type { FusionReason } from './reasons.ts';
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

/** State of the fused lowering: the dispatches so far, and the form of each value that is not in memory. */
export class Fusion {
  readonly graph: Graph;
  readonly dispatches: Dispatch[] = [];
  /** Nodes whose work other nodes' dispatches do. */
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
  /** Storages that nodes overwrite, with the node's place in the order. */
  readonly #changes: readonly { readonly at: number; readonly storage: LogicalStorage }[];
  /** Values that have a form and lie in memory too. */
  readonly #inMemory = new Set<Value>();
  readonly #moments = new Map<BufferRef, Map<string, Moments>>();
  readonly #contextOf: (node: RecordedNode) => KernelContext;
  readonly #lower: (node: RecordedNode) => readonly Dispatch[];
  /** The nodes whose work is left to the readers of a value. */
  readonly #makers = new Map<Value, readonly RecordedNode[]>();
  /** What the next dispatches do beside the work of the node that is lowered, and why. */
  readonly #nodes = new Set<RecordedNode>();
  readonly #why = new Set<FusionReason>();

  constructor(
    nodes: readonly RecordedNode[],
    contextOf: (node: RecordedNode) => KernelContext,
    lower: (node: RecordedNode) => readonly Dispatch[],
  ) {
    this.graph = new Graph(nodes);
    this.#slots = concatSlots(nodes);
    this.#order = new Map(nodes.map((node, i) => [node, i]));
    this.#changes = nodes.flatMap((node, at) => writtenInPlace(node).map((storage) => ({ at, storage })));
    this.#contextOf = contextOf;
    this.#lower = lower;
  }

  context(node: RecordedNode): KernelContext {
    return this.#contextOf(node);
  }

  /** Starts the notes on a node's dispatches. */
  begin(node: RecordedNode): void {
    this.#nodes.clear();
    this.#why.clear();
    this.#nodes.add(node);
  }

  /** Notes that the next dispatches of the node do the work of `nodes` too. */
  note(why: FusionReason, ...nodes: readonly (RecordedNode | null | undefined)[]): void {
    this.#why.add(why);
    for (const node of nodes) if (node) this.#nodes.add(node);
  }

  /** Takes a note back. */
  unnote(why: FusionReason): void {
    this.#why.delete(why);
  }

  /** Notes that the next dispatches write the value to its place in a concatenation, if it has one. */
  noteSlot(value: Value): void {
    const slot = this.#slots.get(value);
    if (slot === undefined || slot.buffer === value.storage) return;
    this.note('writtenInSlot', ...this.graph.readersOf(value).filter(({ op }) => op === concatOp));
  }

  /** Appends dispatches of the node that is lowered, with the notes since the last ones. */
  emit(...dispatches: readonly Dispatch[]): void {
    const [node] = this.#nodes;
    this.emitFor([...this.#nodes], [...this.#why], dispatches);
    if (node !== undefined) this.begin(node);
  }

  /** Appends dispatches that do the work of `nodes`. */
  emitFor(
    nodes: readonly (RecordedNode | null)[],
    why: readonly FusionReason[],
    dispatches: readonly Dispatch[],
    reader?: RecordedNode,
  ): void {
    const indexOf = (node: RecordedNode | null): readonly number[] =>
      node === null ? [] : [this.#order.get(node) ?? 0];
    const origin = { nodes: nodes.flatMap(indexOf), why, ...(reader && { reader: this.#order.get(reader) }) };
    for (const dispatch of dispatches) this.dispatches.push({ ...dispatch, origin });
  }

  makersOf(value: Value): readonly RecordedNode[] {
    return this.#makers.get(value) ?? [];
  }

  /** Lowers a node by itself, on inputs in memory. */
  plain(node: RecordedNode): void {
    for (const input of node.inputs) this.materialize(input, node);
    this.begin(node);
    this.emit(...this.#lower(node));
    for (const output of node.outputs) this.fillSlot(output, node);
  }

  /** Where a map is to be written: its place in a concatenation, or the value itself. */
  target(value: Value, { images, channels, pixels }: MapShape): MapView {
    return this.#slots.get(value) ?? wholeMap(value.storage, images, channels, pixels);
  }

  /** Notes that a kernel has written the value to its target. */
  written(value: Value): void {
    const slot = this.#slots.get(value);
    if (slot !== undefined && slot.buffer !== value.storage)
      this.forms.set(value, { kind: 'map', view: slot });
  }

  /** Where a map lies in memory. Materializes it if it only has a form, or a form of another shape. */
  view(value: Value, shape: MapShape, reader: RecordedNode): MapView {
    const form = this.forms.get(value);
    if (form?.kind === 'map' && hasShape(form.view, shape)) {
      this.note('partReadInPlace');
      return form.view;
    }
    this.materialize(value, reader);
    return wholeMap(value.storage, shape.images, shape.channels, shape.pixels);
  }

  /** How a kernel's load reads a map: as the norm of another map if that is its form, else from memory. */
  loadActivation(value: Value, shape: MapShape, reader: RecordedNode): PlainLoad | ActivationLoad {
    const form = this.forms.get(value);
    if (form?.kind === 'activation' && hasShape(form.norm.input, shape)) {
      this.note(form.relu ? 'normReluInLoad' : 'normInLoad', ...this.makersOf(value));
      return activationLoad(form);
    }
    return { kind: 'plain', map: this.view(value, shape, reader) };
  }

  /**
   * How a kernel's load reads a gradient. One that lacks its norm's correction is corrected in the load where that pays, else
   * materialized.
   */
  loadGradient(value: Value, shape: MapShape, reader: RecordedNode): PlainLoad | GradientLoad {
    const form = this.forms.get(value);
    if (form?.kind === 'gradient' && hasShape(form.gradient, shape)) {
      if (this.context(reader).geometry.correctGradientInLoad) {
        this.note('correctionInLoad', ...this.makersOf(value));
        return form;
      }
      this.materialize(value, reader, 'correctedOnce');
    }
    return { kind: 'plain', map: this.view(value, shape, reader) };
  }

  /** Writes a value to memory in its recorded layout, unless it lies there already. */
  materialize(value: Value, reader: RecordedNode, why: FusionReason = 'materialized'): void {
    const norm = this.norms.get(value);
    const form = this.forms.get(value);
    if (this.#inMemory.has(value) || (form === undefined && norm === undefined)) return;
    this.#inMemory.add(value);
    const context = this.context(reader);
    const emit = (...dispatches: readonly Dispatch[]): void =>
      this.emitFor(this.makersOf(value), [why], dispatches, reader);
    if (norm !== undefined) {
      emit(statisticsFrom(context, norm, value));
      return;
    }
    if (form === undefined) return;
    const load = loadOf(form);
    if (load !== null) emit(materialize(context, load, memoryTarget(load, value)));
    else if (form.kind === 'beforePool' || form.kind === 'afterPool') {
      for (const input of form.node.inputs) this.materialize(input, form.node);
      this.emitFor([form.node], [why], this.#lower(form.node), reader);
    } else if (form.kind === 'spread') {
      emit(avgPoolGradient(context, form.load.map.buffer, value.storage, form.pool, true));
    }
  }

  /**
   * Records how the value will be made when it is read, which does the work of `makers`. Writes it to memory now if it is visible
   * outside the plan.
   */
  defer(value: Value, form: Form, node: RecordedNode, makers: readonly RecordedNode[] = [node]): void {
    this.forms.set(value, form);
    this.#makers.set(value, makers);
    if (!isInternal(value)) this.materialize(value, node, 'visible');
    else if (this.#slots.has(value)) this.#intoSlot(value, form, node);
  }

  /** True if no input of `node` changes before the last reader of the value, so that readers can redo its work. */
  inputsUnchangedUntilLastRead(node: RecordedNode, value: Value): boolean {
    const from = this.#order.get(node) ?? 0;
    const to = Math.max(from, ...this.graph.readersOf(value).map((reader) => this.#order.get(reader) ?? 0));
    return !this.#changes.some(
      ({ at, storage: changed }) =>
        at > from && at < to && node.inputs.some(({ storage }) => storage.overlaps(changed)),
    );
  }

  /** Statistics of the channels of a buffer, seen as maps of this shape. */
  moments({ buffer, images, bufferChannels, pixels }: MapView): Moments {
    let seen = this.#moments.get(buffer);
    if (seen === undefined) this.#moments.set(buffer, (seen = new Map<string, Moments>()));
    const key = `${images} ${bufferChannels} ${pixels}`;
    const known = seen.get(key);
    if (known !== undefined && this.#isLasting(buffer)) return known;
    const table = {
      buffer: new LogicalStorage('f32', 2 * bufferChannels, 'channel statistics'),
      bufferChannels,
      offset: 0,
    };
    const fresh = { table, known: new Set<number>(), partials: new Map<number, MomentPartials>() };
    seen.set(key, fresh);
    return fresh;
  }

  /** True if the buffer keeps its elements once they are written. Others are measured each time. */
  #isLasting(buffer: BufferRef): boolean {
    if (!(buffer instanceof LogicalStorage)) return true;
    return !buffer.resident && !this.#changes.some(({ storage }) => storage.overlaps(buffer));
  }

  #intoSlot(value: Value, form: Form, node: RecordedNode): void {
    const slot = this.#slots.get(value);
    const load = loadOf(form);
    if (slot === undefined || (form.kind === 'map' && form.view.buffer === slot.buffer)) return;
    if (load === null) throw new Error(`${value.label} cannot be made in its place of a concatenation`);
    if (!readsFrom(load, slot.buffer)) {
      this.emitFor(this.makersOf(value), ['copiedToSlot'], [materialize(this.context(node), load, slot)]);
      return;
    }
    this.materialize(value, node);
    this.fillSlot(value, node);
  }

  /** Copies a value that lies in memory to its place in a concatenation, if it has one. */
  fillSlot(value: Value, node: RecordedNode): void {
    const slot = this.#slots.get(value);
    if (slot === undefined || slot.buffer === value.storage) return;
    const { images, channels, pixels } = slot;
    const map = wholeMap(value.storage, images, channels, pixels);
    const copy = materialize(this.context(node), { kind: 'plain', map }, slot);
    this.emitFor(
      this.graph.readersOf(value).filter(({ op }) => op === concatOp),
      ['copiedToSlot'],
      [copy],
    );
    this.forms.set(value, { kind: 'map', view: slot });
    this.#inMemory.add(value);
  }
}

/** Storages with earlier elements that a node overwrites. Running statistics do not count: no form reads them. */
function writtenInPlace({ op, inputs, outputs }: RecordedNode): LogicalStorage[] {
  if (op === trackedStatsOp || op === reshapeOp) return [];
  const mutated = (op.mutates ?? []).flatMap((index) => inputs[index]?.storage ?? []);
  return [...mutated, ...outputs.map(({ storage }) => storage).filter(({ resident }) => resident)];
}

/** True where a view shows maps of this shape. */
const hasShape = (view: MapView, { images, channels, pixels }: MapShape): boolean =>
  view.images === images && view.channels === channels && view.pixels === pixels;

/** True if a load reads the buffer, which the same dispatch then cannot write. */
export const readsFrom = (load: MapLoad, buffer: BufferRef): boolean =>
  load.kind === 'gradient'
    ? load.gradient.buffer === buffer || load.input.buffer === buffer
    : load.map.buffer === buffer;

function memoryTarget(load: MapLoad, value: Value): MapView {
  const { images, channels, pixels } = load.kind === 'gradient' ? load.gradient : load.map;
  return wholeMap(value.storage, images, channels, pixels);
}

/** [mean, invstd] as other ops read them, out of a norm's table, whose rows 2 and 3 they are. */
function statisticsFrom({ geometry }: KernelContext, { input, table }: Norm, value: Value): Dispatch {
  const { channels } = input;
  const view = { offset: 2 * table.bufferChannels + table.offset, strides: [table.bufferChannels, 1] };
  return stridedCopy(
    geometry,
    [2, channels],
    { buffer: table.buffer, view },
    { buffer: value.storage, view: { offset: 0, strides: [channels, 1] } },
    true,
  );
}
