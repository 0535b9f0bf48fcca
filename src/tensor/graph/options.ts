import { closestName, formatValue, isPlainObject } from './wording.ts';

/*
 * Options of ops, layers and optimisers, as users give them. A list of kinds stands beside each interface of options and
 * the compiler holds the two together:
 *
 *   const POOL_OPTIONS: OptionKinds<PoolOptions> = { kernelSize: wholePair(1), stride: wholePair(1), ceilMode: flag };
 *   const { stride } = checkOptions('maxPool2d', options, POOL_OPTIONS);
 */

/** What an option may be. */
interface OptionKind {
  /** Ends the sentence `stride must be ...`. */
  readonly what: string;
  readonly accepts: (value: unknown) => boolean;
  /** It must be given. */
  readonly required?: true;
}

export type OptionKinds<Options> = { readonly [Name in keyof Required<Options>]: OptionKind };

// Kinds

/** What `normalizeDim` checks, by a shape. */
export const dimension: OptionKind = { what: 'a dimension', accepts: () => true };

/** What an op checks with its other operands. */
export const operand: OptionKind = { what: 'a tensor', accepts: () => true };

export const flag: OptionKind = { what: 'true or false', accepts: (value) => typeof value === 'boolean' };

export const fn: OptionKind = { what: 'a function', accepts: (value) => typeof value === 'function' };

/** A number that `holds` accepts; `range` says which, like `of at least 0`. NaN is none. */
export const number = (range = '', holds: (value: number) => boolean = () => true): OptionKind => ({
  what: range === '' ? 'a number' : `a number ${range}`,
  accepts: (value) => typeof value === 'number' && !Number.isNaN(value) && holds(value),
});

export const notNegative = number('of at least 0', (value) => value >= 0 && value < Infinity);

export const fraction = number('of 0 to 1', (value) => value >= 0 && value <= 1);

const isWhole = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least;

export const integer: OptionKind = { what: 'an integer', accepts: (value) => Number.isSafeInteger(value) };

export const whole = (least: number): OptionKind => ({
  what: `an integer of at least ${least}`,
  accepts: (value) => isWhole(value, least),
});

/** One for height and width, or [height, width]. */
export const wholePair = (least: number): OptionKind => ({
  what: `an integer of at least ${least}, or two of them as [height, width]`,
  accepts: (value) =>
    isWhole(value, least) ||
    (Array.isArray(value) && value.length === 2 && Array.from(value).every((size) => isWhole(size, least))),
});

export const oneOf = (...names: readonly string[]): OptionKind => ({
  what: names.map((name) => `'${name}'`).join(' or '),
  accepts: (value) => typeof value === 'string' && names.includes(value),
});

export const required = (kind: OptionKind): OptionKind => ({ ...kind, required: true });

export const orNull = ({ what, accepts }: OptionKind): OptionKind => ({
  what: `${what}, or null`,
  accepts: (value) => value === null || accepts(value),
});

// Checks

/**
 * `options` itself. Throws a TypeError where it is no plain object, has a name that is not in `kinds`, lacks one that is
 * required, or has a value of another kind; a RangeError where a number is out of its option's range. `undefined` stands
 * for an option left out.
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options,
  kinds: OptionKinds<NoInfer<Options>>,
): Options {
  const names = Object.keys(kinds);
  if (!isPlainObject(options)) {
    throw new TypeError(
      `${what} takes options as an object with ${list(names)}, got ${formatValue(options)}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(kinds, name)) throw new TypeError(unknownOption(what, name, names));
    if (value !== undefined) checkValue(what, name, value, kinds[name as keyof Options]);
  }
  for (const [name, kind] of Object.entries<OptionKind>(kinds)) {
    if (kind.required === true && options[name as keyof Options] === undefined)
      throw new TypeError(`${what} needs ${name}, ${kind.what}`);
  }
  return options;
}

/** Throws a TypeError or a RangeError where `value` is not of its kind. */
export function checkValue(what: string, name: string, value: unknown, kind: OptionKind): void {
  if (kind.accepts(value)) return;
  const message = `${what}: ${name} must be ${kind.what}, got ${formatValue(value)}`;
  throw [value].flat().every((part) => typeof part === 'number')
    ? new RangeError(message)
    : new TypeError(message);
}

/**
 * Options of which the one called `name` may stand alone in place of the object, with the rest in a second one:
 * `sum(x, 1)`, `sum(x, 1, { keepDim: true })` and `sum(x, { dim: 1, keepDim: true })`.
 */
export function namedFirst<Options extends object>(
  what: string,
  name: keyof Options & string,
  first: unknown,
  rest: object | undefined,
  kinds: OptionKinds<NoInfer<Options>>,
): Options {
  const alone = !isPlainObject(first);
  if (!alone && rest !== undefined)
    throw new TypeError(`${what} takes one object of options, got a second one: ${formatValue(rest)}`);
  if (alone && rest !== undefined) {
    const others = Object.keys(kinds).filter((other) => other !== name);
    if (!isPlainObject(rest))
      throw new TypeError(
        `${what} takes options after ${name} as an object with ${list(others)}, got ${formatValue(rest)}`,
      );
    if (Object.hasOwn(rest, name)) throw new TypeError(`${what} got ${name} twice: alone and as an option`);
  }
  return checkOptions(what, (alone ? { ...rest, [name]: first } : first) as Options, kinds);
}

/** PyTorch's and NumPy's names that look like nothing here. */
const ALIASES: Readonly<Record<string, string>> = {
  axis: 'dim',
  axes: 'dim',
  learning_rate: 'lr',
  learningRate: 'lr',
};

function unknownOption(what: string, name: string, names: readonly string[]): string {
  const alias = ALIASES[name];
  const meant = alias !== undefined && names.includes(alias) ? alias : closestName(name, names);
  const hint = meant === null ? `: it takes ${list(names)}` : `: did you mean '${meant}'?`;
  return `${what} has no option '${name}'${hint}`;
}

const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
