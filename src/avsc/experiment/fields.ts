// Readers of JSON values. Each takes a value and the name of its field, and throws an Error of one sentence that names it.

export type Reader<T> = (value: unknown, name: string) => T;

type Fields = Readonly<Record<string, unknown>>;

/** An object. Throws if it has a field that is not among `known`, so that a misspelt field is not ignored. */
export function object(value: unknown, name: string, known?: readonly string[]): Fields {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Error(`${name} is ${shown(value)}, it must be an object`);
  const fields = value as Fields;
  const unknown = known && Object.keys(fields).find((field) => !known.includes(field));
  if (known !== undefined && unknown !== undefined)
    throw new Error(
      `${name} has a field ${JSON.stringify(unknown)}, which it does not take: ${known.join(', ')}`,
    );
  return fields;
}

/** Name of a field within an object; the outermost object has the name ''. */
export const within = (name: string, field: string): string => (name === '' ? field : `${name}.${field}`);

interface Range {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
  /** Whether `min` itself is excluded. */
  readonly above?: boolean;
}

export function number({
  min = -Infinity,
  max = Infinity,
  integer = false,
  above = false,
}: Range): Reader<number> {
  return (value, name) => {
    const fits =
      typeof value === 'number' &&
      (integer ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      (above ? value > min : value >= min) &&
      value <= max;
    if (fits) return value;
    const kind = integer ? 'a whole number' : 'a number';
    const from = min === -Infinity ? '' : above ? ` above ${min}` : ` of at least ${min}`;
    const to = max === Infinity ? '' : `${from === '' ? '' : ' and'} at most ${max}`;
    throw new Error(`${name} is ${shown(value)}, it must be ${kind}${from}${to}`);
  };
}

export const text: Reader<string> = (value, name) => {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`${name} is ${shown(value)}, it must be a text`);
};

export const boolean: Reader<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value;
  throw new Error(`${name} is ${shown(value)}, it must be true or false`);
};

export function oneOf<const T extends string>(allowed: readonly T[]): Reader<T> {
  return (value, name) => {
    const found = allowed.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new Error(`${name} is ${shown(value)}, it must be one of ${allowed.join(', ')}`);
  };
}

/** Null, and a field that is not there, are null. */
export function optional<T>(read: Reader<T>): Reader<T | null> {
  return (value, name) => (value === undefined || value === null ? null : read(value, name));
}

/** `fallback` for a field that is not there. */
export function withDefault<T>(read: Reader<T>, fallback: T): Reader<T> {
  return (value, name) => (value === undefined ? fallback : read(value, name));
}

export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw new Error(`${name} is ${shown(value)}, it must be a list`);
    return value.map((item, i) => read(item, `${name}[${i}]`));
  };
}

/** An object whose fields all have one type. */
export function record<T>(read: Reader<T>): Reader<Record<string, T>> {
  return (value, name) =>
    Object.fromEntries(
      Object.entries(object(value, name)).map(([key, item]) => [key, read(item, within(name, key))]),
    );
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const written = JSON.stringify(value);
  return written.length > 60 ? `${written.slice(0, 57)}...` : written;
}
