/** How errors speak of what they were given. */

import { formatForeign } from './copies.ts';

const LONGEST_TEXT = 40;
const LONGEST_LIST = 8;

/** A value as an error shows it: short, and told from its look-alikes ('1' from 1). */
export function formatValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value}'`;
    case 'bigint':
      return `${value}n`;
    case 'symbol':
      return 'a symbol';
    case 'function':
      return value.name === '' ? 'a function' : `the function ${value.name}`;
    case 'object':
      return value === null ? 'null' : formatObject(value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
  }
}

function formatObject(value: object): string {
  if (Array.isArray(value)) return formatList(value);
  if (isPlainObject(value)) {
    const names = Object.keys(value).slice(0, LONGEST_LIST);
    return names.length === 0 ? 'an empty object' : `an object with ${names.join(', ')}`;
  }
  const name = (value.constructor as { name: string } | undefined)?.name ?? 'object of no class';
  if (ArrayBuffer.isView(value))
    return 'length' in value ? `${name}(${String(value.length)})` : withArticle(name);
  const foreign = formatForeign(value);
  if (foreign !== null) return foreign;
  // A tensor says its shape.
  const { toString } = value as { toString?: (this: object) => string };
  return toString === undefined || toString === Object.prototype.toString
    ? withArticle(name)
    : toString.call(value);
}

export const withArticle = (name: string): string => `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;

function formatList(values: readonly unknown[]): string {
  if (values.length > LONGEST_LIST) return `an array of ${values.length}`;
  // Not map(), which keeps holes.
  const items = Array.from(values, (item) => (Array.isArray(item) ? '[...]' : formatValue(item)));
  return `[${items.join(', ')}]`;
}

/** True for `{ ... }`, whichever realm it comes from; false for arrays, tensors, maps and other classes' objects. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The one of `names` that was probably meant by `name`; null where none is near. */
export function closestName(name: string, names: readonly string[]): string | null {
  const wanted = plain(name);
  const distances = names.map((candidate) => ({
    candidate,
    distance: nameDistance(wanted, plain(candidate)),
  }));
  const [nearest] = distances.sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= 2 ? nearest.candidate : null;
}

/** Without what tells keep_dim, keepdim and keepDim apart. */
const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();

/** Letters to change, or 1 where one name begins or ends with the other. */
function nameDistance(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (a !== b && short.length >= 3 && (long.startsWith(short) || long.endsWith(short))) return 1;
  // Two letters of three are another name, not a slip.
  const distance = editDistance(a, b);
  return 2 * distance > short.length ? Number.POSITIVE_INFINITY : distance;
}

/** Levenshtein's: how many letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
