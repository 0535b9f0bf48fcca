import { elementCount, formatShape, sameShape, type Shape } from '../tensor/graph/shape.ts';
import type { TypedArray } from '../tensor/graph/dtype.ts';

/** Elements of a tensor in the host's memory, row-major. A shape may hold zeros here, as in files. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Parameters and buffers by their names, in the order in which a module has them. */
export type StateDict = ReadonlyMap<string, HostTensor>;

/** Names that did not fit, in a load that was not strict. */
export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/**
 * Compares a state dict with what a module holds. Throws a RangeError if a shape differs or an entry has not as many
 * elements as its shape says; if `strict`, also for missing and unexpected names. It lists all of them.
 */
export function checkStateDict(
  holder: string,
  expected: ReadonlyMap<string, { readonly shape: Shape }>,
  given: StateDict,
  strict: boolean,
): LoadReport {
  const missing = [...expected.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !expected.has(name));
  const misshapen = [...expected].flatMap(([name, { shape }]) => {
    const entry = given.get(name);
    if (entry === undefined) return [];
    if (!sameShape(entry.shape, shape)) {
      return [`${name} is ${formatShape(entry.shape)} there and ${formatShape(shape)} here`];
    }
    const count = elementCount(shape);
    return entry.data.length === count
      ? []
      : [`${name} has ${entry.data.length} elements instead of ${count}`];
  });
  const problems = [
    ...(strict && missing.length > 0 ? [`missing ${list(missing)}`] : []),
    ...(strict && unexpected.length > 0 ? [`unexpected ${list(unexpected)}`] : []),
    ...(misshapen.length > 0 ? [`wrong shape: ${list(misshapen)}`] : []),
  ];
  if (problems.length > 0)
    throw new RangeError(`the state dict does not fit this ${holder}: ${problems.join('; ')}`);
  return { missing, unexpected };
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}
