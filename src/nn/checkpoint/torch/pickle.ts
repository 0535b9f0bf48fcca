/*
 * Reads pickles of protocols 0 to 5 (Python's pickletools documents every opcode) as data, by a stack machine that only
 * changes its stack and memo. Only the names of `PickleRules` are allowed; any other name is an error. Calls are recorded, not
 * executed. There is no recursion, so depth costs no more than length.
 */
import { takeLine, takeUnsigned, type PickleCursor } from './pickle_cursor.ts';
import {
  appendTo,
  fail,
  get,
  pairs,
  pop,
  popMany,
  popMark,
  put,
  setItems,
  spend,
  top,
  type Machine,
  type PickleRules,
} from './pickle_machine.ts';
import { parseInteger, readScalar } from './pickle_scalars.ts';
import {
  isCall,
  isDict,
  isPickleObject,
  isSequence,
  kindOfValue,
  type PickleDict,
  type PickleGlobal,
  type PicklePersistent,
  type PickleValue,
} from './pickle_values.ts';

export interface Pickle {
  readonly value: PickleValue;
  /** All persistent ids, in order of appearance. */
  readonly persistent: readonly PicklePersistent[];
}

/**
 * Reads the pickle at the cursor and moves the cursor past it. Throws an Error of one sentence with the position if the
 * pickle is truncated, damaged, or uses a name that the rules do not allow, and MorePickleNeeded if `bytes` end too early.
 */
export function readPickle(cursor: PickleCursor, rules: PickleRules): Pickle {
  const machine: Machine = {
    cursor,
    rules,
    stack: [],
    marks: [],
    memo: new Map(),
    persistent: [],
    globals: new Map(),
    at: cursor.at,
    spent: 0,
  };
  for (;;) {
    machine.at = cursor.at;
    spend(machine, 1);
    const op = takeUnsigned(cursor, 1);
    if (op === STOP) return { value: pop(machine), persistent: machine.persistent };
    const scalar = readScalar(machine, op);
    if (scalar !== undefined) machine.stack.push(scalar);
    else if (!runStack(machine, op) && !runObject(machine, op)) {
      throw fail(machine, `0x${op.toString(16).padStart(2, '0')} is no operation that checkpoints need`);
    }
  }
}

const STOP = 0x2e;
const MAX_NAME = 300;

/** Runs an operation on containers, stack or memo. False if it is none of these. */
function runStack(machine: Machine, op: number): boolean {
  const { cursor, stack, marks } = machine;
  switch (op) {
    case 0x80: // PROTO
      checkProtocol(machine, takeUnsigned(cursor, 1));
      return true;
    case 0x95: // FRAME: its length says nothing that the operations do not.
      takeUnsigned(cursor, 8);
      return true;
    case 0x28: // MARK
      marks.push(stack.length);
      return true;
    case 0x30: // POP takes a mark where one is on top.
      if (marks.at(-1) === stack.length) marks.pop();
      else pop(machine);
      return true;
    case 0x31: // POP_MARK
      popMark(machine);
      return true;
    case 0x32: // DUP
      stack.push(top(machine));
      return true;
    case 0x5d: // EMPTY_LIST
      stack.push({ kind: 'list', items: [] });
      return true;
    case 0x29: // EMPTY_TUPLE
      stack.push({ kind: 'tuple', items: [] });
      return true;
    case 0x8f: // EMPTY_SET
      stack.push({ kind: 'set', items: [] });
      return true;
    case 0x7d: // EMPTY_DICT
      stack.push({ kind: 'dict', entries: [] });
      return true;
    case 0x6c: // LIST
      stack.push({ kind: 'list', items: popMark(machine) });
      return true;
    case 0x74: // TUPLE
      stack.push({ kind: 'tuple', items: popMark(machine) });
      return true;
    case 0x91: // FROZENSET
      stack.push({ kind: 'set', items: popMark(machine) });
      return true;
    case 0x64: // DICT
      stack.push({ kind: 'dict', entries: pairs(machine, popMark(machine)) });
      return true;
    case 0x85: // TUPLE1
    case 0x86: // TUPLE2
    case 0x87: // TUPLE3
      stack.push({ kind: 'tuple', items: popMany(machine, op - 0x84) });
      return true;
    case 0x61: // APPEND
      appendTo(machine, popMany(machine, 1), 'list');
      return true;
    case 0x65: // APPENDS
      appendTo(machine, popMark(machine), 'list');
      return true;
    case 0x90: // ADDITEMS
      appendTo(machine, popMark(machine), 'set');
      return true;
    case 0x73: // SETITEM
      setItems(machine, popMany(machine, 2));
      return true;
    case 0x75: // SETITEMS
      setItems(machine, popMark(machine));
      return true;
    case 0x70: // PUT
      put(machine, parseIndex(machine, takeLine(cursor)));
      return true;
    case 0x71: // BINPUT
      put(machine, takeUnsigned(cursor, 1));
      return true;
    case 0x72: // LONG_BINPUT
      put(machine, takeUnsigned(cursor, 4));
      return true;
    case 0x94: // MEMOIZE
      put(machine, machine.memo.size);
      return true;
    case 0x67: // GET
      get(machine, parseIndex(machine, takeLine(cursor)));
      return true;
    case 0x68: // BINGET
      get(machine, takeUnsigned(cursor, 1));
      return true;
    case 0x6a: // LONG_BINGET
      get(machine, takeUnsigned(cursor, 4));
      return true;
    default:
      return false;
  }
}

/** Runs an operation on globals, calls or persistent ids. False if it is none of these. */
function runObject(machine: Machine, op: number): boolean {
  const { cursor, stack } = machine;
  switch (op) {
    case 0x63: // GLOBAL
      pushGlobal(machine, takeLine(cursor), takeLine(cursor));
      return true;
    case 0x93: {
      // STACK_GLOBAL
      const [module, name] = popMany(machine, 2);
      pushGlobal(machine, module, name);
      return true;
    }
    case 0x52: // REDUCE
    case 0x81: {
      // NEWOBJ
      const [callable, args] = popMany(machine, 2);
      if (!isSequence(args) || args.kind !== 'tuple') {
        throw fail(machine, `the arguments of a call are ${kindOfValue(args)}, not a tuple`);
      }
      stack.push(applied(machine, callable, args.items));
      return true;
    }
    case 0x92: {
      // NEWOBJ_EX
      const [callable] = popMany(machine, 3);
      throw fail(machine, `${kindOfValue(callable)} is made with keywords, which no checkpoint needs`);
    }
    case 0x69: {
      // INST
      pushGlobal(machine, takeLine(cursor), takeLine(cursor));
      const callable = pop(machine);
      stack.push(applied(machine, callable, popMark(machine)));
      return true;
    }
    case 0x6f: {
      // OBJ
      const [callable, ...args] = popMark(machine);
      stack.push(applied(machine, callable, args));
      return true;
    }
    case 0x62: {
      // BUILD
      const state = pop(machine);
      const object = top(machine);
      // Attributes of an OrderedDict (_metadata: versions of modules) are not weights and are ignored.
      if (isCall(object)) object.state = state;
      else if (!isDict(object)) throw fail(machine, `${kindOfValue(object)} has no state to be set`);
      return true;
    }
    case 0x51: {
      // BINPERSID
      const value: PicklePersistent = { kind: 'persistent', id: pop(machine) };
      machine.persistent.push(value);
      stack.push(value);
      return true;
    }
    case 0x82: // EXT1
    case 0x83: // EXT2
    case 0x84: // EXT4
      throw fail(machine, 'it names a class by a number of the extension registry, which is never looked up');
    default:
      return false;
  }
}

function pushGlobal(machine: Machine, module: PickleValue | undefined, name: PickleValue | undefined): void {
  if (typeof module !== 'string' || typeof name !== 'string') {
    throw fail(machine, `a name consists of ${kindOfValue(module)} and ${kindOfValue(name)}, not of texts`);
  }
  if (module.length + name.length > MAX_NAME)
    throw fail(machine, `a name has ${module.length + name.length} characters`);
  const full = `${module}.${name}`;
  const known = machine.globals.get(full);
  if (known !== undefined) return void machine.stack.push(known);
  if (machine.rules.kindOf(full) === undefined) throw fail(machine, machine.rules.refusal(full));
  const named: PickleGlobal = { kind: 'global', name: full };
  machine.globals.set(full, named);
  machine.stack.push(named);
}

/** The result of a call as data: a dict, a sequence, or a record of the call. Nothing is executed. */
function applied(
  machine: Machine,
  callable: PickleValue | undefined,
  args: readonly PickleValue[],
): PickleValue {
  const name = isPickleObject(callable) && callable.kind === 'global' ? callable.name : undefined;
  const kind = name === undefined ? undefined : machine.rules.kindOf(name);
  if (name === undefined || kind === undefined || kind === 'constant') {
    throw fail(machine, `${kindOfValue(callable)} is called, which is never done`);
  }
  switch (kind) {
    case 'function':
      return { kind: 'call', name, args, state: undefined };
    case 'dict':
      return dictOf(machine, name, args);
    case 'tuple':
    case 'set': {
      const [items] = args;
      if (items !== undefined && !isSequence(items))
        throw fail(machine, `${name} of ${kindOfValue(items)} is not understood`);
      return { kind, items: copied(machine, items?.items ?? []) };
    }
  }
}

/** The dict of OrderedDict(), of OrderedDict([[key, value], ...]) as Python 2 writes it, or of Counter({...}). */
function dictOf(machine: Machine, name: string, args: readonly PickleValue[]): PickleDict {
  const [content] = args;
  if (content === undefined) return { kind: 'dict', entries: [] };
  if (isDict(content)) return { kind: 'dict', entries: copied(machine, content.entries) };
  if (!isSequence(content)) throw fail(machine, `${name} of ${kindOfValue(content)} is not understood`);
  const entries = copied(machine, content.items).flatMap((pair) => {
    if (!isSequence(pair) || pair.items.length !== 2)
      throw fail(machine, `${name} is made of ${kindOfValue(pair)}, not of pairs`);
    return pair.items;
  });
  return { kind: 'dict', entries };
}

function copied(machine: Machine, items: readonly PickleValue[]): PickleValue[] {
  spend(machine, items.length);
  return [...items];
}

function checkProtocol(machine: Machine, protocol: number): void {
  if (protocol > 5) throw fail(machine, `it is of protocol ${protocol}, known are 0 to 5`);
}

function parseIndex(machine: Machine, line: string): number {
  const index = parseInteger(machine, line, false);
  if (typeof index !== 'number' || index < 0) throw fail(machine, `${line} is no place in the memo`);
  return index;
}
