import { alignUp } from '../../gpu/storage.ts';
import type { Span } from '../../kernels/optimizer.ts';
import { copyOp } from '../../tensor/graph/basic_ops.ts';
import { record } from '../../tensor/graph/op.ts';
import type { Move, RecordingDevice } from '../../tensor/graph/recording_device.ts';
import { LogicalStorage } from '../../tensor/graph/storage.ts';
import { Tensor } from '../../tensor/graph/tensor.ts';
import { Value } from '../../tensor/graph/value.ts';
import { checkStateDict, type HostTensor, type StateDict } from '../state.ts';

/** One parameter of an optimiser. */
export interface Slot {
  readonly tensor: Tensor;
  /** Its place in the order in which parameters were given; names its state. */
  readonly index: number;
  /** Where it lies in its group, in elements. */
  readonly offset: number;
  readonly length: number;
  /** Where its gradient lies unless somebody assigns another. */
  readonly gradient: LogicalStorage;
}

/**
 * Parameters that lie one after another in one vector, their gradients in another of the same layout, and one more for
 * each kind of state, like `exp_avg`: an optimiser updates all of them in one dispatch. Gaps between parameters hold zeros.
 */
export interface Packed {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly slots: readonly Slot[];
  readonly state: ReadonlyMap<string, Tensor>;
}

/** Elements that two parameters' starts are apart at least, since bindings begin at multiples of 256 bytes, also in a copy as f16. */
const paddedLength = (length: number): number => alignUp(length * 2) / 2;

/**
 * Moves parameters into flat vectors, with zeroed state of the kinds named: as many groups as the device's largest
 * binding makes necessary, usually one. Gradients that are there move along.
 */
export function packState(
  device: RecordingDevice,
  parameters: readonly { readonly tensor: Tensor; readonly index: number }[],
  kinds: readonly string[],
): Packed[] {
  const groups: (typeof parameters)[number][][] = [];
  let room = 0;
  for (const parameter of parameters) {
    const bytes = 4 * paddedLength(parameter.tensor.numel);
    if (bytes > room) {
      groups.push([]);
      room = device.maxStorageBytes;
    }
    groups.at(-1)?.push(parameter);
    room -= bytes;
  }
  return groups.map((group) => packGroup(device, group, kinds));
}

function packGroup(
  device: RecordingDevice,
  parameters: readonly { readonly tensor: Tensor; readonly index: number }[],
  kinds: readonly string[],
): Packed {
  let offset = 0;
  const slots = parameters.map(({ tensor, index }): Slot => {
    const slot = { tensor, index, offset, length: tensor.numel, gradient: device.gradientSlot(tensor) };
    offset += paddedLength(tensor.numel);
    // Kept while the optimiser lives, whether or not the parameter has a gradient.
    slot.gradient.handles++;
    return slot;
  });
  const flat = (what: string, role: 'parameter' | 'gradient', moves: readonly Move[]): Tensor => {
    const value = Value.create('f32', [offset], what, role);
    device.pack(value.storage, moves);
    return new Tensor(device, value);
  };
  return {
    slots,
    parameters: flat(
      'parameters',
      'parameter',
      slots.map((slot) => ({ storage: slot.tensor.value.storage, offset: slot.offset })),
    ),
    gradients: flat(
      'gradients',
      'gradient',
      slots.map((slot) => ({ storage: slot.gradient, offset: slot.offset })),
    ),
    state: new Map(
      kinds.map((kind) => [
        kind,
        device.createTensor([offset], () => new Float32Array(offset), { role: 'optimizer' }),
      ]),
    ),
  };
}

/** Gives the memory of state and gradients back. The parameters stay as they are. */
export function unpackState(device: RecordingDevice, { parameters, gradients, slots, state }: Packed): void {
  for (const { tensor, gradient } of slots) {
    if (tensor.grad?.value.storage === gradient && gradient.part?.whole === gradients.value.storage)
      tensor.clearGrad();
    device.release(gradient);
  }
  for (const flat of [parameters, gradients, ...state.values()]) flat.dispose();
}

/**
 * Parameters of a group that have a gradient; PyTorch too leaves out those without. A gradient that lies elsewhere, since somebody
 * assigned it or a newer optimiser has moved it, is copied to where this optimiser reads.
 */
export function slotsWithGradient(device: RecordingDevice, group: Packed): Slot[] {
  const whole = group.gradients.value.storage;
  const isHere = ({ gradient }: Slot): boolean => gradient.part?.whole === whole;
  guardPlaces(device, group.slots, isHere);
  return group.slots.filter((slot) => {
    const { tensor, gradient, offset } = slot;
    device.noteGradient(tensor, 'needed');
    const { grad } = tensor;
    if (grad === null) return false;
    if (!isHere(slot) || grad.value.storage !== gradient) copyInto(device, whole, offset, grad);
    return true;
  });
}

/** Records `update` of a group's flat parameters, and around it copies of those that a newer optimiser has moved elsewhere. */
export function updateFlat(
  device: RecordingDevice,
  { parameters }: Packed,
  slots: readonly Slot[],
  update: () => void,
): void {
  const whole = parameters.value.storage;
  const isHere = ({ tensor }: Slot): boolean => tensor.value.storage.part?.whole === whole;
  guardPlaces(device, slots, isHere);
  const elsewhere = slots.filter((slot) => !isHere(slot));
  for (const { tensor, offset } of elsewhere) copyInto(device, whole, offset, tensor);
  update();
  for (const { tensor, offset } of elsewhere) {
    const place = partOf(device, whole, offset, tensor);
    record(copyOp, [tensor, place], [], null);
    place.dispose();
  }
  for (const { tensor } of slots) device.noteChange(tensor.value.storage);
}

/** Lets a recording be replayed only while each slot lies where it lies now. */
function guardPlaces(device: RecordingDevice, slots: readonly Slot[], isHere: (slot: Slot) => boolean): void {
  const now = slots.map(isHere);
  device.guard(() => slots.every((slot, i) => isHere(slot) === now[i]));
}

function copyInto(device: RecordingDevice, whole: LogicalStorage, offset: number, source: Tensor): void {
  const place = partOf(device, whole, offset, source);
  record(copyOp, [place, source], [], null);
  place.dispose();
}

/** The part of a flat vector that is for a tensor. */
function partOf(device: RecordingDevice, whole: LogicalStorage, offset: number, like: Tensor): Tensor {
  const storage = new LogicalStorage('f32', like.numel, `part of ${whole.label}`, whole.role);
  device.attach(storage, { whole, offset });
  return new Tensor(device, new Value(like.shape, storage));
}

/**
 * The elements of some of a group's parameters in as few spans as possible, over gaps between neighbours and up to
 * whole fours. Gradients are zero in the gaps.
 */
export function spansOf(chosen: readonly Slot[], { slots }: Packed): Span[] {
  const wanted = new Set(chosen);
  const spans: { offset: number; length: number }[] = [];
  let open: { offset: number; length: number } | undefined;
  for (const slot of slots) {
    if (!wanted.has(slot)) {
      open = undefined;
      continue;
    }
    if (open === undefined) spans.push((open = { offset: slot.offset, length: 0 }));
    open.length = slot.offset + Math.ceil(slot.length / 4) * 4 - open.offset;
  }
  return spans;
}

/** Copies of the state of the parameters that `has` it, named by index and kind like `3.exp_avg`. */
export async function readState(
  groups: readonly Packed[],
  has: (slot: Slot) => boolean,
): Promise<Map<string, HostTensor>> {
  const vectors = groups.flatMap(({ slots, state }) =>
    [...state].map(async ([kind, flat]) => ({ slots, kind, data: await flat.data() })),
  );
  const entries = (await Promise.all(vectors)).flatMap(({ slots, kind, data }) =>
    slots.filter(has).map((slot): [string, HostTensor] => {
      const part = data.slice(slot.offset, slot.offset + slot.length);
      return [`${slot.index}.${kind}`, { shape: slot.tensor.shape, data: part }];
    }),
  );
  const byIndex = (name: string): number => Number.parseInt(name, 10);
  return new Map(entries.sort(([a], [b]) => byIndex(a) - byIndex(b)));
}

/**
 * Replaces the state by what `readState` gave, and by zeros for parameters that are not in it. `also` names scalar entries
 * that come with each parameter's. Throws a RangeError, before anything is changed, if the entries do not fit.
 */
export function writeState(
  device: RecordingDevice,
  groups: readonly Packed[],
  dict: StateDict,
  also: readonly string[] = [],
): void {
  const present = new Set([...dict.keys()].map((name) => name.split('.')[0]));
  const expected = new Map(
    groups.flatMap(({ slots, state }) =>
      slots
        .filter(({ index }) => present.has(String(index)))
        .flatMap(({ index, tensor: { shape } }) => [
          ...also.map((kind) => [`${index}.${kind}`, { shape: [] }] as const),
          ...[...state.keys()].map((kind) => [`${index}.${kind}`, { shape }] as const),
        ]),
    ),
  );
  checkStateDict('optimiser', expected, dict, true);
  for (const { slots, state, parameters } of groups) {
    for (const [kind, flat] of state) {
      const data = new Float32Array(parameters.numel);
      for (const { index, offset } of slots) data.set(dict.get(`${index}.${kind}`)?.data ?? [], offset);
      device.overwrite(flat, data);
    }
  }
}
