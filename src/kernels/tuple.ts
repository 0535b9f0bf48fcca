/** The only item. Throws a RangeError if there are more or fewer. */
export function one<T>(list: readonly T[]): T {
  const [a] = list;
  if (a === undefined || list.length !== 1) throw wrongCount(1, list);
  return a;
}

/** Both items. Throws a RangeError if there are more or fewer. */
export function two<T>(list: readonly T[]): [T, T] {
  const [a, b] = list;
  if (a === undefined || b === undefined || list.length !== 2) throw wrongCount(2, list);
  return [a, b];
}

/** All three items. Throws a RangeError if there are more or fewer. */
export function three<T>(list: readonly T[]): [T, T, T] {
  const [a, b, c] = list;
  if (a === undefined || b === undefined || c === undefined || list.length !== 3) throw wrongCount(3, list);
  return [a, b, c];
}

const wrongCount = (expected: number, list: readonly unknown[]): RangeError =>
  new RangeError(`expected ${expected} of them, got ${list.length}`);
