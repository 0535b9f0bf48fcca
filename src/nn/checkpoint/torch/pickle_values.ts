/** A value of a pickle. Nothing is executed: a call is recorded with its arguments. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleSequence
  | PickleDict
  | PickleGlobal
  | PickleCall
  | PicklePersistent;

export interface PickleSequence {
  readonly kind: 'list' | 'tuple' | 'set';
  readonly items: PickleValue[];
}

/** A dict as a flat list of keys and values. A pickle can contain millions of dicts, and each Map would take 150 bytes. */
export interface PickleDict {
  readonly kind: 'dict';
  readonly entries: PickleValue[];
}

/** A function, class or constant by its name, `module.name`. */
export interface PickleGlobal {
  readonly kind: 'global';
  readonly name: string;
}

export interface PickleCall {
  readonly kind: 'call';
  /** The function's name. */
  readonly name: string;
  readonly args: readonly PickleValue[];
  /** State that BUILD set afterwards. */
  state: PickleValue | undefined;
}

/** A persistent id, which refers to an object outside the pickle: PyTorch's storages. */
export interface PicklePersistent {
  readonly kind: 'persistent';
  readonly id: PickleValue;
}

type PickleObject = Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array>;

export const isPickleObject = (value: PickleValue | undefined): value is PickleObject =>
  typeof value === 'object' && value !== null && 'kind' in value;

export const isSequence = (value: PickleValue | undefined): value is PickleSequence =>
  isPickleObject(value) && (value.kind === 'list' || value.kind === 'tuple' || value.kind === 'set');

export const isDict = (value: PickleValue | undefined): value is PickleDict =>
  isPickleObject(value) && value.kind === 'dict';

export const isCall = (value: PickleValue | undefined): value is PickleCall =>
  isPickleObject(value) && value.kind === 'call';

/** Pairs of a dict in their order. */
export function* dictEntries({ entries }: PickleDict): Generator<[PickleValue, PickleValue]> {
  for (let i = 0; i + 1 < entries.length; i += 2) {
    const [key, value] = [entries[i], entries[i + 1]];
    if (key !== undefined && value !== undefined) yield [key, value];
  }
}

/** Kind of a value in one or two words, for messages. */
export function kindOfValue(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'string') return 'a text';
  if (typeof value !== 'object') return `the value ${value}`;
  switch (value.kind) {
    case 'list':
    case 'tuple':
    case 'set':
    case 'dict':
      return `a ${value.kind}`;
    case 'global':
      return `the name ${value.name}`;
    case 'call':
      return `a result of ${value.name}`;
    case 'persistent':
      return 'a storage';
  }
}
