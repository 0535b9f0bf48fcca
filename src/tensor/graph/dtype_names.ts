import type { HostDType } from './dtype.ts';
import { formatValue } from './wording.ts';

const DTYPES: Readonly<Record<HostDType, true>> = { f32: true, i32: true, u32: true };

/** Other libraries' names for element types, and what stands for them here. */
const MEANT: Readonly<Record<string, HostDType>> = {
  float: 'f32',
  float32: 'f32',
  double: 'f32',
  float64: 'f32',
  f64: 'f32',
  int: 'i32',
  int32: 'i32',
  long: 'i32',
  int64: 'i32',
  i64: 'i32',
  uint: 'u32',
  uint32: 'u32',
};

const isDType = (name: unknown): name is HostDType => typeof name === 'string' && Object.hasOwn(DTYPES, name);

/** `dtype` itself. Throws a TypeError where it is no element type, with the one that was probably meant. */
export function checkDType(what: string, dtype: unknown): HostDType {
  if (isDType(dtype)) return dtype;
  const name = typeof dtype === 'string' ? dtype.toLowerCase().replace(/^torch\./, '') : '';
  const meant = isDType(name) ? name : Object.hasOwn(MEANT, name) ? MEANT[name] : undefined;
  const list = Object.keys(DTYPES).join(', ');
  const hint = meant === undefined ? `the types are ${list}` : `did you mean '${meant}'?`;
  throw new TypeError(`${what}: there is no dtype ${formatValue(dtype)}: ${hint}`);
}
