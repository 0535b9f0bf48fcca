/*
 * f16 storage. Kernels are written for f32 elements. Where an operand is stored as f16, its binding is declared so, what is read
 * from it is widened at once and what is written is rounded: all is computed in f32 whatever the storage.
 */
import type { Dispatch } from '../gpu/dispatch.ts';

const BINDING = /(@binding\((\d+)\)[ \t]*var<storage[^>]*>[ \t]*(\w+)[ \t]*:[ \t]*array<)([\w<>]+)(>;)/g;
const ALIAS = /^[ \t]*alias[ \t]+(\w+)[ \t]*=[ \t]*([\w<>]+)[ \t]*;/gm;
const COMMENT = /\/\/[^\n]*/g;

/** f32 types of elements and how they are stored in halves. */
const HALVES: Readonly<Record<string, string>> = {
  f32: 'f16',
  vec4f: 'vec4<f16>',
  'vec4<f32>': 'vec4<f16>',
};

/** An array whose elements are stored as `stored` and computed with as `computed`. */
interface HalfArray {
  readonly stored: string;
  readonly computed: string;
}

const known = new Map<string, string>();

/** The dispatch with a kernel that reads and writes f16 where its operands are f16 and its WGSL declares f32. */
export function storeHalves(dispatch: Dispatch): Dispatch {
  const { code, operands } = dispatch;
  const halves = operands.map(({ buffer }) => buffer.dtype === 'f16');
  if (!halves.includes(true)) return dispatch;
  const key = `${halves.map(Number).join('')} ${code}`;
  const stored = known.get(key) ?? halved(code, (binding) => halves[binding] === true);
  known.set(key, stored);
  return { ...dispatch, code: stored };
}

function halved(code: string, isHalf: (binding: number) => boolean): string {
  const comments: string[] = [];
  const bare = code.replace(COMMENT, (comment) => `\u0001${comments.push(comment) - 1}\u0002`);
  const aliases = new Map([...bare.matchAll(ALIAS)].map(([, name = '', type = '']) => [name, type]));
  const arrays = new Map<string, HalfArray>();
  const declared = bare.replace(BINDING, (all, start: string, binding, name: string, type: string, end) => {
    const stored = HALVES[aliases.get(type) ?? type];
    if (stored === undefined || !isHalf(Number(binding))) return all as string;
    arrays.set(name, { stored, computed: type });
    return `${start}${stored}${String(end)}`;
  });
  if (arrays.size === 0) return code;
  const text = convertAccesses(declared, arrays);
  const whole = text.replace(/\u0001(\d+)\u0002/g, (_, index) => comments[Number(index)] ?? '');
  return whole.startsWith('enable f16;') ? whole : `enable f16;\n${whole}`;
}

/** x[i] becomes f32(x[i]), and x[i] = y; becomes x[i] = f16(y); for each of the arrays x. */
function convertAccesses(code: string, arrays: ReadonlyMap<string, HalfArray>): string {
  const access = new RegExp(`(?<![.\\w])(${[...arrays.keys()].join('|')})\\[`, 'g');
  let converted = '';
  let at = 0;
  for (let found = access.exec(code); found !== null; found = access.exec(code)) {
    const name = found[1] ?? '';
    const { stored = '', computed = '' } = arrays.get(name) ?? {};
    const close = endOf(code, access.lastIndex, ']');
    const element = `${name}[${convertAccesses(code.slice(access.lastIndex, close), arrays)}]`;
    converted += code.slice(at, found.index);
    at = close + 1;
    const [assignment, operator] = /^\s*([-+*/]?)=(?!=)/.exec(code.slice(at)) ?? [];
    if (assignment === undefined) converted += `${computed}(${element})`;
    else {
      const end = endOf(code, at, ';');
      const value = convertAccesses(code.slice(at + assignment.length, end), arrays).trim();
      const result = operator ? `${computed}(${element}) ${operator} (${value})` : value;
      converted += `${element} = ${stored}(${result})`;
      at = end;
    }
    access.lastIndex = at;
  }
  return converted + code.slice(at);
}

/** Where the bracket, or the statement, that is open at `from` ends. */
function endOf(code: string, from: number, closing: ']' | ';'): number {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    const letter = code.charAt(at);
    if (depth === 0 && letter === closing) return at;
    if ('([{'.includes(letter)) depth++;
    else if (')]}'.includes(letter)) depth--;
  }
  throw new Error(`WGSL has no ${closing} after: ${code.slice(from, from + 40)}`);
}
