import { DTYPE_BYTES, type Dispatch } from './dispatch.ts';

const ALIAS = /^[ \t]*alias[ \t]+(\w+)[ \t]*=[ \t]*([\w<>]+)[ \t]*;/gm;
const BINDING = /@binding\((\d+)\)[ \t]*var<storage[^>]*>[ \t]*\w+[ \t]*:[ \t]*array<([\w<>]+)>;/g;
const SHORT: Readonly<Record<string, string>> = { f: 'f32', i: 'i32', u: 'u32', h: 'f16' };
const SCALAR_BYTES: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, f16: 2 };

/** Scalar types of the storage arrays that WGSL declares, by binding. */
export function elementTypes(code: string): ReadonlyMap<number, string> {
  const aliases = new Map([...code.matchAll(ALIAS)].map(([, name = '', type = '']) => [name, type]));
  return new Map(
    [...code.matchAll(BINDING)].map(([, binding, type = '']) => [
      Number(binding),
      scalarOf(aliases.get(type) ?? type),
    ]),
  );
}

/** The scalar of `f32`, `vec4<f32>`, `vec4f` or `atomic<f32>`. */
function scalarOf(type: string): string {
  const [, long, short = '']: (string | undefined)[] = /^(?:vec[234]|atomic)(?:<(\w+)>|([fiuh]))$/.exec(type) ?? [];
  return long ?? SHORT[short] ?? type;
}

/** Throws a TypeError for an operand whose elements are not as wide as those that the WGSL declares (`types`). */
export function checkElements({ label, operands }: Dispatch, types: ReadonlyMap<number, string>): void {
  operands.forEach(({ buffer: { dtype } }, i) => {
    const type = types.get(i);
    if (type === undefined || SCALAR_BYTES[type] === DTYPE_BYTES[dtype]) return;
    throw new TypeError(`${label} has no code for ${dtype}: its operand ${i} is ${type}, cast first`);
  });
}
