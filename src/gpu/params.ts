import type { Dispatch, ParamValue } from './dispatch.ts';

const STRUCT = /struct[ \t]+Params[ \t]*\{([^}]*)\}/;
const FIELD = /(\w+)[ \t]*:[ \t]*(\w+)/g;
const DECLARATION =
  /^[ \t]*@group\(0\)[ \t]*@binding\(\d+\)[ \t]*var<uniform>[ \t]*params[ \t]*:[ \t]*Params[ \t]*;/m;

export const hasParams = ({ params }: Dispatch): boolean =>
  params !== undefined && Object.keys(params).length > 0;

/** A field of the WGSL's `struct Params`. */
export interface ParamField {
  readonly name: string;
  readonly type: string;
}

/** The fields in the order in which the WGSL declares them. Throws an Error where there is no struct. */
export function paramFields({ label, code }: Dispatch): ParamField[] {
  const body = STRUCT.exec(code)?.[1];
  if (body === undefined) throw new Error(`${label}: the WGSL declares no struct Params for its parameters`);
  return [...body.replace(/\/\/.*$/gm, '').matchAll(FIELD)].map(([, name = '', type = '']) => ({
    name,
    type,
  }));
}

/** Whether a parameter may become a constant; infinity and NaN have no literal. */
export const canBake = ({ value, uniform }: ParamValue): boolean =>
  uniform !== true && Number.isFinite(Math.fround(value));

/** Whether a uniform remains where parameters are baked. */
export const hasUniform = ({ params = {} }: Dispatch): boolean =>
  Object.values(params).some((value) => !canBake(value));

/** The WGSL with the parameters that can be baked as fields of a constant. */
export function bakeParams(dispatch: Dispatch): string {
  const { label, code, params = {} } = dispatch;
  const values = orderParams(dispatch, paramFields(dispatch));
  const declaration = DECLARATION.exec(code)?.[0];
  if (declaration === undefined) {
    throw new Error(`${label}: the WGSL has no line "@group(0) @binding(N) var<uniform> params: Params;"`);
  }
  const literals = values.map((value) => literal(canBake(value) ? value : { ...value, value: 0 }));
  const constant = `const baked_params = Params(${literals.join(', ')});`;
  return code
    .replace(DECLARATION, hasUniform(dispatch) ? `${declaration}\n${constant}` : constant)
    .replace(/\bparams\.(\w+)/g, (use, name: string) => {
      const param = params[name];
      return param !== undefined && canBake(param) ? `baked_params.${name}` : use;
    });
}

/** The uniform's bytes: four a field, padded to 16. */
export function packParams(dispatch: Dispatch, fields: readonly ParamField[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(Math.ceil(fields.length / 4) * 16));
  orderParams(dispatch, fields).forEach(({ type, value }, i) => {
    if (type === 'u32') view.setUint32(4 * i, value, true);
    else if (type === 'i32') view.setInt32(4 * i, value, true);
    else view.setFloat32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** Values in the struct's order, by name. Throws an Error naming the parameter that does not match. */
function orderParams({ label, params = {} }: Dispatch, fields: readonly ParamField[]): ParamValue[] {
  const extra = Object.keys(params).filter((name) => !fields.some((field) => field.name === name));
  if (extra.length > 0) throw new Error(`${label}: struct Params has no field ${extra.join(', ')}`);
  return fields.map(({ name, type }) => {
    const value = params[name];
    if (value === undefined) throw new Error(`${label}: no value for parameter ${name}`);
    if (value.type !== type) {
      throw new Error(`${label}: parameter ${name} is ${type} in the WGSL, but ${value.type} was given`);
    }
    checkRange(label, name, value);
    return value;
  });
}

function literal({ type, value }: ParamValue): string {
  if (type === 'u32') return `${value}u`;
  if (type === 'i32') return `i32(${value})`;
  // The decimal of a double that is an f32 names that f32 exactly. WGSL may lose the sign of a zero, this does too.
  return `${Math.fround(value)}f`;
}

function checkRange(label: string, name: string, { type, value }: ParamValue): void {
  if (type === 'f32') return;
  const [low, high] = type === 'u32' ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${label}: parameter ${name} = ${value} is not a ${type}`);
  }
}
