/**
 * The one template step for WGSL. A shader stays valid-looking WGSL; it may hold
 *
 *   //#include name        replaced by the text given under that name
 *   //#if NAME  //#else  //#endif     kept or dropped by a boolean option (nesting allowed)
 *   NAME_                  identifiers in upper case with a trailing underscore: replaced by an expression or type
 *
 * Everything named must be used and everything used must be named, so a typing error cannot pass. Comments stay as they are.
 * Language extensions that the expanded text uses are enabled in front of it.
 */
export interface TemplateValues {
  readonly include?: Readonly<Record<string, string>>;
  readonly when?: Readonly<Record<string, boolean>>;
  readonly substitute?: Readonly<Record<string, string | number>>;
}

const INCLUDE = /^[ \t]*\/\/#include[ \t]+(\w+)[ \t]*$/;
const IF = /^[ \t]*\/\/#if[ \t]+(\w+)[ \t]*$/;
const ELSE = /^[ \t]*\/\/#else[ \t]*$/;
const ENDIF = /^[ \t]*\/\/#endif[ \t]*$/;
const SUBSTITUTE = /\b[A-Z][A-Z0-9_]*_(?![A-Za-z0-9_])/g;

/** What an expanded shader uses of each extension of WGSL. */
const EXTENSIONS: readonly (readonly [name: string, use: RegExp])[] = [
  ['f16', /\b(?:f16|vec[234]h)\b/],
  ['subgroups', /\bsubgroup(?:_size|_id|_invocation_id|[A-Z]\w*)\b/],
  ['chromium_experimental_subgroup_matrix', /\bsubgroup_matrix_/],
];

/** Expanded shaders. A step of a net has a thousand dispatches of a hundred kernels, and expanding takes most of its planning. */
const expanded = new Map<string, string>();
const numbers = new Map<string, number>();

/** A short name for a text, the same for equal texts. */
function numberOf(text: string): number {
  const known = numbers.get(text) ?? numbers.size;
  if (known === numbers.size) numbers.set(text, known);
  return known;
}

/** Expands a shader; throws an Error naming the shader and the name that is missing or unused. */
export function expandTemplate(name: string, source: string, values: TemplateValues = {}): string {
  const { include = {}, when = {}, substitute = {} } = values;
  const includes = Object.entries(include).map(([key, text]) => [key, numberOf(text)]);
  const key = JSON.stringify([name, numberOf(source), includes, when, substitute]);
  const known = expanded.get(key);
  if (known !== undefined) return known;
  const text = expand(name, source, values);
  expanded.set(key, text);
  return text;
}

function expand(name: string, source: string, values: TemplateValues): string {
  const used = new Set<string>();
  const included = includeLines(name, source.split('\n'), values.include ?? {}, used, 0);
  for (const line of included) for (const key of codeOf(line).match(SUBSTITUTE) ?? []) used.add(key);
  const kept = conditionalLines(name, included, values.when ?? {}, used);
  const text = kept.map((line) => substituteLine(name, line, values.substitute ?? {})).join('\n');
  const given = [values.include, values.when, values.substitute].flatMap((group) => Object.keys(group ?? {}));
  const unused = given.filter((key) => !used.has(key));
  if (unused.length > 0) throw new Error(`shader ${name} does not use ${unused.join(', ')}`);
  return enabled(text);
}

/** The text behind the `enable` directives that it needs. */
function enabled(text: string): string {
  const code = text.split('\n').map(codeOf).join('\n');
  const uses = EXTENSIONS.filter(([, use]) => use.test(code)).map(([name]) => `enable ${name};\n`);
  return uses.join('') + text;
}

function includeLines(
  name: string,
  lines: readonly string[],
  texts: Readonly<Record<string, string>>,
  used: Set<string>,
  depth: number,
): string[] {
  if (depth > 8) throw new Error(`shader ${name}: includes nest deeper than 8, one includes itself`);
  return lines.flatMap((line) => {
    const key = INCLUDE.exec(line)?.[1];
    if (key === undefined) return [line];
    const text = texts[key];
    if (text === undefined) throw new Error(`shader ${name} includes ${key}, which was not given`);
    used.add(key);
    return includeLines(name, text.split('\n'), texts, used, depth + 1);
  });
}

function conditionalLines(
  name: string,
  lines: readonly string[],
  when: Readonly<Record<string, boolean>>,
  used: Set<string>,
): string[] {
  const open: boolean[] = [];
  const kept = lines.filter((line) => {
    const key = IF.exec(line)?.[1];
    if (key !== undefined) {
      const value = when[key];
      if (value === undefined) throw new Error(`shader ${name} tests ${key}, which was not given`);
      used.add(key);
      open.push(value);
      return false;
    }
    const top = open.at(-1);
    if (ELSE.test(line) || ENDIF.test(line)) {
      if (top === undefined) throw new Error(`shader ${name}: ${line.trim()} without //#if`);
      open.pop();
      if (ELSE.test(line)) open.push(!top);
      return false;
    }
    return open.every(Boolean);
  });
  if (open.length > 0) throw new Error(`shader ${name}: //#if without //#endif`);
  return kept;
}

function substituteLine(
  name: string,
  line: string,
  values: Readonly<Record<string, string | number>>,
): string {
  const code = codeOf(line);
  const substituted = code.replace(SUBSTITUTE, (key) => {
    const value = values[key];
    if (value === undefined) throw new Error(`shader ${name} needs a value for ${key}`);
    return String(value);
  });
  return substituted + line.slice(code.length);
}

function codeOf(line: string): string {
  const comment = line.indexOf('//');
  return comment < 0 ? line : line.slice(0, comment);
}
