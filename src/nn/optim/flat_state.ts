import type { Span } from '../../kernels/optimizer.ts';
import type { Device } from '../../tensor/device.ts';
import { packParameters, type FlatGroup, type FlatRange } from '../../tensor/runtime/flat.ts';
import { elementCount, formatShape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { checkStateDict, type HostTensor, type StateDict } from '../state.ts';
import { createFrom, upload } from '../transfer.ts';

/** One parameter of an optimiser. */
export interface Slot extends FlatRange {
  /** Its place in the order in which parameters were given; names its state. */
  readonly index: number;
  readonly gradient: Tensor | null;
}

/** Parameters that are updated in one dispatch, and one flat vector for each kind of state, like `exp_avg`. */
export interface Packed {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly slots: readonly Slot[];
  readonly state: ReadonlyMap<string, Tensor>;
}

/**
 * Moves the parameters that require a gradient into flat buffers, with zeroed state of the kinds named. Throws an Error if
 * there are none, if they are not leaves on a device, or if one has a gradient already, which would be lost.
 */
export function packState(parameters: readonly Tensor[], kinds: readonly string[]): Packed[] {
  const trained = parameters.filter(({ requiresGrad }) => requiresGrad);
  if (trained.length === 0)
    throw new Error('an optimiser needs at least one parameter that requires a gradient');
  if (trained.some(({ grad }) => grad !== null)) {
    throw new Error(
      'a parameter has a gradient from before its optimiser was made: clear it first, or make that earlier',
    );
  }
  const index = new Map(parameters.map((tensor, i) => [tensor, i]));
  return packParameters(trained).map((group) => ({
    parameters: group.parameters,
    gradients: group.gradients,
    slots: group.ranges.map((range) => ({
      ...range,
      index: index.get(range.tensor) ?? 0,
      gradient: range.tensor.gradSlot,
    })),
    state: new Map(kinds.map((kind) => [kind, zerosLike(group)])),
  }));
}

function zerosLike({ parameters: { device, shape } }: FlatGroup): Tensor {
  return createFrom(device, shape, new Float32Array(elementCount(shape)));
}

export function deviceOf(groups: readonly Packed[]): Device {
  const device = groups[0]?.parameters.device;
  if (device === undefined) throw new Error('an optimiser without parameters has no device');
  return device;
}

/** Parameters that have a gradient; PyTorch too leaves out those without. */
export function withGradient({ slots }: Packed): Slot[] {
  return slots.filter(({ tensor, gradient }) => {
    if (tensor.gradSlot !== gradient) {
      throw new Error(
        `the parameter of shape ${formatShape(tensor.shape)} was given to a newer optimiser, so this one can no longer step`,
      );
    }
    tensor.device.noteGradient(tensor);
    return tensor.grad !== null;
  });
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
export function writeState(groups: readonly Packed[], dict: StateDict, also: readonly string[] = []): void {
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
      upload(flat, data);
    }
  }
}
