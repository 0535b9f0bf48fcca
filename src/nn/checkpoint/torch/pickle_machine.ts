import { pickleError, type PickleCursor } from './pickle_cursor.ts';
import {
  isDict,
  isSequence,
  kindOfValue,
  type PickleGlobal,
  type PicklePersistent,
  type PickleSequence,
  type PickleValue,
} from './pickle_values.ts';

/** Upper bound on operations. Real checkpoints have some 30 per tensor. Each makes at most one object of about 100 bytes. */
const MAX_OPERATIONS = 500_000;

/** Meaning of a global name: a constructor of a dict or a sequence, a function whose calls are recorded, or a constant. */
export type GlobalKind = 'dict' | 'tuple' | 'set' | 'function' | 'constant';

export interface PickleRules {
  /** Kind of a name; undefined if the name is not allowed. */
  kindOf(name: string): GlobalKind | undefined;
  /** Reason why a name is not allowed, for the message. */
  refusal(name: string): string;
}

/** State of the machine. */
export interface Machine {
  readonly cursor: PickleCursor;
  readonly rules: PickleRules;
  readonly stack: PickleValue[];
  /** Lengths of the stack at the marks. */
  readonly marks: number[];
  readonly memo: Map<number, PickleValue>;
  readonly persistent: PicklePersistent[];
  /** Global names so far, without duplicates. */
  readonly globals: Map<string, PickleGlobal>;
  /** Position of the current operation. */
  at: number;
  /** Number of operations and copied items so far. */
  spent: number;
}

export const fail = ({ cursor, at }: Machine, why: string): Error => pickleError(cursor, at, why);

/** Counts operations and copied items and throws beyond MAX_OPERATIONS, so that a small file cannot cause much work. */
export function spend(machine: Machine, count: number): void {
  machine.spent += count;
  if (machine.spent > MAX_OPERATIONS)
    throw fail(machine, `it has more than ${MAX_OPERATIONS} operations, which no checkpoint needs`);
}

/** Index of the last mark: everything below it belongs to unfinished containers. */
const floor = ({ marks }: Machine): number => marks.at(-1) ?? 0;

export function popMany(machine: Machine, count: number): PickleValue[] {
  const { stack } = machine;
  if (stack.length - count < floor(machine))
    throw fail(machine, 'an operation finds too little on the stack');
  return stack.splice(stack.length - count, count);
}

export function pop(machine: Machine): PickleValue {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

export function top(machine: Machine): PickleValue {
  const value = machine.stack.length > floor(machine) ? machine.stack.at(-1) : undefined;
  if (value === undefined) throw fail(machine, 'an operation finds nothing on the stack');
  return value;
}

export function popMark(machine: Machine): PickleValue[] {
  const from = machine.marks.pop();
  if (from === undefined) throw fail(machine, 'an operation finds no mark on the stack');
  return machine.stack.splice(from);
}

export function appendTo(
  machine: Machine,
  items: readonly PickleValue[],
  kind: PickleSequence['kind'],
): void {
  const target = top(machine);
  if (!isSequence(target) || target.kind !== kind)
    throw fail(machine, `items are added to ${kindOfValue(target)}, not to a ${kind}`);
  for (const item of items) target.items.push(item);
}

export function setItems(machine: Machine, items: readonly PickleValue[]): void {
  const target = top(machine);
  if (!isDict(target)) throw fail(machine, `items are set in ${kindOfValue(target)}, not in a dict`);
  for (const item of pairs(machine, items)) target.entries.push(item);
}

export function pairs<T extends readonly PickleValue[]>(machine: Machine, items: T): T {
  if (items.length % 2 !== 0) throw fail(machine, 'a key of a dict has no value');
  return items;
}

export function put(machine: Machine, index: number): void {
  machine.memo.set(index, top(machine));
}

export function get(machine: Machine, index: number): void {
  const value = machine.memo.get(index);
  if (value === undefined) throw fail(machine, `nothing was kept under the number ${index}`);
  machine.stack.push(value);
}
