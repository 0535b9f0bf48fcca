import { DTYPE_BYTES, type BufferRef, type Dispatch } from '../../gpu/dispatch.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { alignUp, formatBytes } from '../../gpu/storage.ts';
import { copy } from '../../kernels/elementwise.ts';
import type { KernelContext } from '../../kernels/context.ts';
import type { Op } from '../graph/op.ts';
import type { RecordedNode } from '../graph/recording.ts';
import { Value } from '../graph/value.ts';
import { colourBuffers } from './colour.ts';
import { lowerFused } from './fuse/lower.ts';
import { lifetimes, liveNodes } from './liveness.ts';
import { pack } from './pack.ts';
import type { KeptHeaps } from './kept_heaps.ts';

/** Place of a transient buffer in the device's arenas. */
interface ArenaSlot {
  readonly colour: number;
  readonly bin: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A recording turned into dispatches whose every buffer has a place. */
export interface Plan {
  readonly dispatches: readonly Dispatch[];
  readonly slots: ReadonlyMap<BufferRef, ArenaSlot>;
  /** Bytes of each arena, by colour and bin. */
  readonly arenaBytes: readonly (readonly number[])[];
  /** Values from before that the plan reads or changes. */
  readonly captured: ReadonlySet<Value>;
  /** Values the plan makes that outlive it. */
  readonly kept: readonly Value[];
}

interface PlanOptions {
  /** Whether nodes are lowered together where that saves work, or each by itself (the oracle of the former). */
  readonly fusion: boolean;
}

/** Arenas stay well below the largest buffer that devices admit, so that one is easy to allocate. */
const MAX_BIN_BYTES = 2 ** 30;

/**
 * Plans recorded nodes: drops those nobody asks for, lowers the rest to dispatches, gives kept values storage of
 * their own and transient ones offsets in arenas. Throws a RangeError where a tensor is too large for a binding.
 */
export function planNodes(
  gpu: Gpu,
  nodes: readonly RecordedNode[],
  heaps: KeptHeaps,
  { fusion }: PlanOptions,
): Plan {
  const live = liveNodes(nodes, (value) => value.handles > 0);
  const kept = live.flatMap(({ outputs }) =>
    outputs.filter((value) => value.handles > 0 || value.place !== null),
  );
  const contextOf = (node: RecordedNode): KernelContext => contextFor(gpu, node);
  const lowerOne = (node: RecordedNode): readonly Dispatch[] => lower(contextOf(node), node);
  for (const { inputs, outputs } of live) for (const value of [...inputs, ...outputs]) checkFits(gpu, value);
  const lowered = fusion ? lowerFused(live, contextOf, lowerOne) : live.flatMap(lowerOne);
  heaps.place(
    kept.filter((value) => value.place === null),
    lowered,
  );
  const dispatches = separateRoles(gpu, lowered);
  const colours = colourBuffers(dispatches, isPlaced);
  const spans = lifetimes(dispatches, isPlaced);
  const slots = new Map<BufferRef, ArenaSlot>();
  const count = Math.max(0, ...[...colours.values()].map((colour) => colour + 1));
  const arenaBytes = Array.from({ length: count }, (_, colour) => {
    const mine = spans.filter(({ buffer }) => colours.get(buffer) === colour);
    const packing = pack(
      mine,
      ({ buffer }) => bytesOf(buffer),
      Math.min(gpu.limits.maxBufferSize, MAX_BIN_BYTES),
    );
    for (const [{ buffer }, { bin, offset }] of packing.slots) {
      slots.set(buffer, { colour, bin, offset, bytes: bytesOf(buffer) });
    }
    return packing.bins;
  });
  const made = new Set(kept);
  const captured = live.flatMap(({ inputs }) =>
    inputs.filter((value) => value.place !== null && !made.has(value)),
  );
  return { dispatches, slots, arenaBytes, captured: new Set(captured), kept };
}

const bytesOf = (buffer: BufferRef): number => alignUp(buffer.length * DTYPE_BYTES[buffer.dtype]);

const isPlaced = (buffer: BufferRef): boolean => buffer instanceof Value && buffer.place !== null;

const contextFor = (gpu: Gpu, { op }: RecordedNode): KernelContext => ({
  geometry: gpu.geometry,
  temporary(length, dtype = 'f32') {
    const value = new Value(dtype, length, `workspace of ${op.name}`);
    checkFits(gpu, value);
    return value;
  },
});

function lower(context: KernelContext, node: RecordedNode): readonly Dispatch[] {
  // The node holds the attrs its own op was recorded with, which the list of nodes cannot express.
  const op = node.op as Op<unknown>;
  return op.lower(context, { inputs: node.inputs, outputs: node.outputs, attrs: node.attrs });
}

function checkFits(gpu: Gpu, value: Value): void {
  if (value.failure !== null) throw value.failure;
  if (bytesOf(value) <= gpu.maxStorageBytes) return;
  throw new RangeError(
    `${value.label} needs ${formatBytes(value.bytes)} in one buffer; this device binds at most ` +
      `${formatBytes(gpu.maxStorageBytes)} (${gpu.description.name}): use a smaller batch`,
  );
}

/** Where a dispatch would read and write the same GPUBuffer at places that are given, it reads from a copy. */
function separateRoles(gpu: Gpu, dispatches: readonly Dispatch[]): Dispatch[] {
  return dispatches.flatMap((dispatch) => {
    const written = new Set(
      dispatch.operands.filter(({ access }) => access !== 'read').map(({ buffer }) => bufferOf(buffer)),
    );
    const copies: Dispatch[] = [];
    const operands = dispatch.operands.map((operand) => {
      const buffer = bufferOf(operand.buffer);
      if (operand.access !== 'read' || buffer === null || !written.has(buffer)) return operand;
      const { dtype, length } = operand.buffer;
      const twin = new Value(dtype, length, `copy for ${dispatch.label}`);
      copies.push(copy(gpu.geometry, operand.buffer, twin));
      return { ...operand, buffer: twin };
    });
    return copies.length === 0 ? [dispatch] : [...copies, { ...dispatch, operands }];
  });
}

const bufferOf = (ref: BufferRef): GPUBuffer | null =>
  ref instanceof Value ? (ref.place?.storage.buffer ?? null) : null;
