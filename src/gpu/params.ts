import type { Dispatch, ParamValue } from './dispatch.ts';

const STRUCT = /struct[ \t]+Params[ \t]*\{([^}]*)\}/;
const FIELD = /(\w+)[ \t]*:[ \t]*(\w+)/g;
const DECLARATION =
  /^[ \t]*@group\(0\)[ \t]*@binding\(\d+\)[ \t]*var<uniform>[ \t]*params[ \t]*:[ \t]*Params[ \t]*;/m;

type Params = NonNullable<Dispatch['params']>;

/** Values in the order of the WGSL's `struct Params`. Throws an Error naming the field that does not match. */
export function orderParams(dispatch: Dispatch): readonly ParamValue[] {
  const params: Params = dispatch.params ?? {};
  const body = STRUCT.exec(dispatch.code)?.[1];
  if (body === undefined)
    throw new Error(`${dispatch.label}: the WGSL declares no struct Params for its parameters`);
  const fields = [...body.replace(/\/\/.*$/gm, '').matchAll(FIELD)];
  const values = fields.map(([, name = '', type = '']) => {
    const value = params[name];
    if (value === undefined) throw new Error(`${dispatch.label}: no value for parameter ${name}`);
    if (value.type !== type)
      throw new Error(`${dispatch.label}: parameter ${name} is ${type} in WGSL, ${value.type} given`);
    checkValue(dispatch.label, name, value);
    return value;
  });
  const known = new Set(fields.map(([, name]) => name));
  const extra = Object.keys(params).filter((name) => !known.has(name));
  if (extra.length > 0) throw new Error(`${dispatch.label}: struct Params has no field ${extra.join(', ')}`);
  return values;
}

/** The WGSL with `params` as a constant instead of a uniform; null where a value has no literal (infinity, NaN). */
export function bakeParams(dispatch: Dispatch): string | null {
  const values = orderParams(dispatch);
  if (!values.every(({ value }) => Number.isFinite(Math.fround(value)))) return null;
  if (!DECLARATION.test(dispatch.code)) {
    throw new Error(
      `${dispatch.label}: the WGSL has no line "@group(0) @binding(N) var<uniform> params: Params;"`,
    );
  }
  return dispatch.code.replace(DECLARATION, `const params = Params(${values.map(literal).join(', ')});`);
}

/** Bytes of the uniform: four per field, padded to 16. */
export function packParams(dispatch: Dispatch): Uint8Array<ArrayBuffer> {
  const values = orderParams(dispatch);
  const view = new DataView(new ArrayBuffer(Math.ceil(values.length / 4) * 16));
  values.forEach(({ type, value }, i) => {
    if (type === 'u32') view.setUint32(4 * i, value, true);
    else if (type === 'i32') view.setInt32(4 * i, value, true);
    else view.setFloat32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

function literal({ type, value }: ParamValue): string {
  if (type === 'u32') return `${value}u`;
  if (type === 'i32') return `i32(${value})`;
  // The decimal of a double that is an f32 names that f32 exactly.
  return `${Object.is(value, -0) ? '-0.0' : String(Math.fround(value))}f`;
}

function checkValue(label: string, name: string, { type, value }: ParamValue): void {
  if (type === 'f32') return;
  const [low, high] = type === 'u32' ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${label}: parameter ${name} = ${value} is no ${type}`);
  }
}
