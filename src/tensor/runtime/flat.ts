import { Heap } from '../../gpu/heap.ts';
import { alignUp, type Storage } from '../../gpu/storage.ts';
import type { Device } from '../device.ts';
import { Tensor } from '../graph/tensor.ts';
import { Value } from '../graph/value.ts';

/** Where one parameter lies in its group, in elements. */
export interface FlatRange {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly length: number;
}

/**
 * Parameters that lie one after another in one buffer, and their gradients in another of the same layout, so that
 * an optimiser updates all of them in one dispatch. Gaps between ranges hold zeros.
 */
export interface FlatGroup {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly ranges: readonly FlatRange[];
}

/** Frees a buffer when the last of its parts was given back. */
class Shared {
  readonly #whole: Storage;
  readonly #heap: Heap;
  #parts: number;

  constructor(heap: Heap, whole: Storage, parts: number) {
    this.#heap = heap;
    this.#whole = whole;
    this.#parts = parts;
  }

  free(): void {
    if (--this.#parts === 0) {
      this.#heap.free(this.#whole);
      this.#heap.destroy();
    }
  }
}

/**
 * Moves leaves into flat buffers and gives each a slot for its gradient. As many groups as the device's largest
 * binding makes necessary; usually one. Compiled functions notice the move and bind anew.
 */
export function packParameters(tensors: readonly Tensor[]): FlatGroup[] {
  const device = tensors[0]?.device;
  if (device === undefined) return [];
  const odd = tensors.find((tensor) => tensor.dtype !== 'f32' || !tensor.isLeaf || !tensor.requiresGrad);
  if (odd) throw new Error(`${odd.toString()} is not a parameter: a leaf of f32 with requiresGrad is needed`);
  if (new Set(tensors).size < tensors.length) throw new Error('a parameter was given twice');
  // Whoever is still to be computed gets a place first.
  device.flush().catch(() => undefined);
  return groupsBySize(tensors, device.gpu.maxStorageBytes).map((group) => packGroup(device, group));
}

function groupsBySize(tensors: readonly Tensor[], limit: number): Tensor[][] {
  const groups: Tensor[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    const bytes = alignUp(tensor.value.bytes);
    if (bytes > room) {
      groups.push([]);
      room = limit;
    }
    groups.at(-1)?.push(tensor);
    room -= bytes;
  }
  return groups;
}

function packGroup(device: Device, tensors: readonly Tensor[]): FlatGroup {
  const total = tensors.reduce((sum, tensor) => sum + alignUp(tensor.value.bytes), 0);
  const parameters = allocateFlat(device, 'parameters', total, tensors.length);
  const gradients = allocateFlat(device, 'gradients', total, tensors.length);
  let at = 0;
  const moves: { from: Storage; to: Storage; giveBack: () => void }[] = [];
  const ranges = tensors.map((tensor): FlatRange => {
    const { value } = tensor;
    const bytes = alignUp(value.bytes);
    const old = value.place;
    if (old === null) throw new Error(`${value.label} has no elements to move: its computation failed`);
    const to = { buffer: parameters.storage.buffer, offset: at, bytes };
    moves.push({ from: old.storage, to, giveBack: () => old.heap?.free(old.storage) });
    value.place = { storage: to, heap: parameters.owner };
    const slot = new Value('f32', value.length, `gradient of ${value.label}`);
    slot.place = { storage: { buffer: gradients.storage.buffer, offset: at, bytes }, heap: gradients.owner };
    tensor.gradSlot?.dispose();
    tensor.gradSlot = new Tensor(device, slot, tensor.shape);
    const range = { tensor, offset: at / 4, length: value.length };
    at += bytes;
    return range;
  });
  void device.queue.run(() => {
    device.gpu.submit((encoder) => {
      encoder.clearBuffer(parameters.storage.buffer);
      encoder.clearBuffer(gradients.storage.buffer);
      for (const { from, to } of moves)
        encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, to.bytes);
    });
    for (const { giveBack } of moves) giveBack();
  });
  return { parameters: parameters.tensor, gradients: gradients.tensor, ranges };
}

/** A flat buffer as a tensor; its parts and the tensor itself share the storage. */
function allocateFlat(device: Device, label: string, bytes: number, parts: number) {
  const heap = new Heap(device.gpu, label, bytes);
  const storage = heap.allocate(bytes, label);
  const owner = new Shared(heap, storage, parts + 1);
  const value = new Value('f32', bytes / 4, `flat ${label}`);
  value.place = { storage, heap: owner };
  return { storage, owner, tensor: new Tensor(device, value, [value.length]) };
}
