import { bytesOf, type BufferRef, type Dispatch } from '../../gpu/dispatch.ts';
import { describeTooLarge, maxStorageBytes, type Target } from '../../gpu/profile.ts';
import { alignUp } from '../../gpu/storage.ts';
import type { KernelContext, Tunable } from '../../kernels/context.ts';
import { copy } from '../../kernels/elementwise.ts';
import { storeHalves } from '../../kernels/half.ts';
import { splitDispatch } from '../../kernels/split.ts';
import type { Op, RecordedNode } from '../graph/node.ts';
import type { Precision } from '../graph/recording.ts';
import { LogicalStorage } from '../graph/storage.ts';
import { colorBuffers, colorsOfValues, separateRoles } from './color.ts';
import { lifetimes, liveNodes } from './liveness.ts';
import { lowerEach, lowerFused } from './lowering.ts';
import { pack } from './pack.ts';
import { packWeights, type PackedWeights } from './pack_weights.ts';
import { inHalves, withHalfOperands } from './precision.ts';

/** Place of a transient storage in the device's arenas. */
interface ArenaSlot {
  readonly color: number;
  readonly bin: number;
  /** In bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * A recording turned into dispatches over logical storages. It is plain data: it knows neither buffers nor where storages lie,
 * so it can be made for a device that is not there, and bound again when memory moves.
 */
export interface Plan {
  /** What is lowered, in order: dispatches name their nodes by it (`origin`). */
  readonly nodes: readonly RecordedNode[];
  readonly dispatches: readonly Dispatch[];
  readonly slots: ReadonlyMap<BufferRef, ArenaSlot>;
  /** Bytes of each arena, by color and bin. */
  readonly arenaBytes: readonly (readonly number[])[];
  /** Storages from before that the plan reads or changes, with the pools that it was planned for. */
  readonly captured: ReadonlyMap<LogicalStorage, string>;
  /** Storages that the plan makes and that outlive it, with their colors. */
  readonly made: ReadonlyMap<LogicalStorage, number>;
  /** Copies of parameters, which the first `packs` dispatches make; a run may leave these out while the copies are current. */
  readonly packed: readonly PackedWeights[];
  readonly packs: number;
  /** Whether the copies are current after a run too, since the updates in the plan write them. */
  readonly followed: boolean;
}

interface PlanOptions {
  /** Whether nodes are lowered together where that saves work, or each by itself (the oracle of the former). */
  readonly fusion: boolean;
  readonly precision?: Precision;
  /** Is shown the work whose geometry can be chosen by measuring. */
  readonly onTunable?: (tunable: Tunable) => void;
}

/** Arenas of more than this are only made for a single storage that needs it, since smaller ones are easier to allocate. */
const USUAL_BIN_BYTES = 2 ** 30;

/**
 * Plans recorded nodes: drops those nobody asks for, lowers the rest to dispatches, and gives transient storages offsets in
 * arenas. Nothing outside is changed. Throws a RangeError where a storage is too large for a binding.
 */
export function planNodes(
  target: Target,
  nodes: readonly RecordedNode[],
  { fusion, precision = 'f32', onTunable }: PlanOptions,
): Plan {
  for (const value of nodes.flatMap(({ inputs }) => inputs)) if (value.failure !== null) throw value.failure;
  const needed = liveNodes(nodes);
  const {
    nodes: live,
    packed,
    followed,
  } = precision === 'f16' ? storedInHalves(target, needed) : { nodes: needed, packed: [], followed: true };
  for (const { inputs, outputs } of live)
    for (const { storage } of [...inputs, ...outputs]) checkFits(target, storage);
  const contextOf = (node: RecordedNode): KernelContext => contextFor(target, node, onTunable);
  const lowerOne = (node: RecordedNode): readonly Dispatch[] => lowerAlone(contextOf(node), node);
  const lowered = (fusion ? lowerFused : lowerEach)(live, contextOf, lowerOne);
  const outputs = new Set(live.flatMap((node) => node.outputs.map(({ storage }) => storage)));
  const values = colorsOfValues(
    [...outputs].filter(({ resident, handles }) => !resident && handles > 0),
    lowered,
  );
  const made = new Map([...values, ...packed.map(({ to }) => [to, 0] as const)]);
  const persists = (buffer: BufferRef): buffer is LogicalStorage =>
    buffer instanceof LogicalStorage && (buffer.resident || made.has(buffer));
  const poolOf = (buffer: BufferRef): string | null => {
    if (!persists(buffer)) return null;
    const color = made.get(buffer);
    return color === undefined || buffer.role !== 'transient' ? buffer.pool : `value ${color}`;
  };
  const finish = (unfinished: readonly Dispatch[]): Dispatch[] =>
    unfinished.flatMap((dispatch) => splitDispatch(storeHalves(dispatch), target.geometry.budget));
  const packs = finish(packed.map(({ from, to }) => copy(target.geometry, from, to)));
  const dispatches = [...packs, ...finish(separateRoles(target.geometry, lowered, poolOf))];
  const operands = dispatches.flatMap((dispatch) => dispatch.operands.map(({ buffer }) => buffer));
  const captured = operands.filter(
    (buffer): buffer is LogicalStorage => persists(buffer) && !made.has(buffer),
  );
  return {
    nodes: live,
    dispatches,
    ...placeTransients(target, dispatches, persists),
    captured: new Map(captured.map((storage) => [storage, storage.pool])),
    made,
    packed,
    packs: packs.length,
    followed,
  };
}

/** The nodes with what may be in f16 in f16, and parameters read as copies. */
function storedInHalves(
  { geometry }: Target,
  nodes: readonly RecordedNode[],
): ReturnType<typeof packWeights> {
  const stored = packWeights(inHalves(nodes));
  const matrices = geometry.matrices.some(({ componentType }) => componentType === 'f16');
  return matrices && geometry.workgroupTiles ? { ...stored, nodes: withHalfOperands(stored.nodes) } : stored;
}

/** Offsets in arenas for everything that lives within the run. */
function placeTransients(
  target: Target,
  dispatches: readonly Dispatch[],
  persists: (buffer: BufferRef) => boolean,
): Pick<Plan, 'slots' | 'arenaBytes'> {
  const colors = colorBuffers(dispatches, persists);
  const spans = lifetimes(dispatches, persists);
  for (const { buffer } of spans) checkFits(target, buffer);
  const largest = Math.max(USUAL_BIN_BYTES, ...spans.map(({ buffer }) => alignedBytes(buffer)));
  const slots = new Map<BufferRef, ArenaSlot>();
  const count = Math.max(0, ...[...colors.values()].map((color) => color + 1));
  const arenaBytes = Array.from({ length: count }, (_, color) => {
    const mine = spans.filter(({ buffer }) => colors.get(buffer) === color);
    const packing = pack(
      mine,
      ({ buffer }) => alignedBytes(buffer),
      Math.min(target.geometry.maxBufferBytes, largest),
    );
    for (const [{ buffer }, { bin, offset }] of packing.slots) {
      slots.set(buffer, { color, bin, offset, bytes: alignedBytes(buffer) });
    }
    return packing.bins;
  });
  return { slots, arenaBytes };
}

/** Lets what a plan makes outlive it. */
export function acceptPlan({ made }: Plan): void {
  for (const [storage, color] of made) {
    if (storage.role === 'transient') {
      storage.role = 'value';
      storage.color = color;
    }
    // It may have been a part of something that is gone.
    storage.part = null;
    storage.resident = true;
  }
}

const alignedBytes = (buffer: BufferRef): number => alignUp(bytesOf(buffer));

const contextFor = (
  { geometry, tuned }: Target,
  { op }: RecordedNode,
  onTunable: PlanOptions['onTunable'],
): KernelContext => ({
  geometry,
  tuned,
  onTunable,
  temporary: (length, dtype = 'f32') => new LogicalStorage(dtype, length, `workspace of ${op.name}`),
});

function lowerAlone(context: KernelContext, node: RecordedNode): readonly Dispatch[] {
  // The node holds the attrs its own op was recorded with, which the list of nodes cannot express.
  const op = node.op as Op<unknown>;
  return op.lower(context, {
    inputs: node.inputs.map(({ storage }) => storage),
    outputs: node.outputs.map(({ storage }) => storage),
    attrs: node.attrs,
  });
}

function checkFits(target: Target, buffer: BufferRef): void {
  if (alignedBytes(buffer) <= maxStorageBytes(target.geometry)) return;
  const label = buffer instanceof LogicalStorage ? buffer.label : `a buffer of ${buffer.length} elements`;
  throw new RangeError(describeTooLarge(label, bytesOf(buffer), target));
}
