// Runs the code of the editor as an ES module. What it imports from the package are modules that hand on what the worker has.

import * as wavelight from 'wavelight';
import * as avsc from 'wavelight/avsc';
import * as inspect from 'wavelight/inspect';
import 'wavelight/pixels';
import * as playground from './api.ts';

const NAMESPACES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  wavelight,
  'wavelight/avsc': avsc,
  'wavelight/inspect': inspect,
  'wavelight/pixels': {},
  playground: { canvas: undefined },
};

/** Where the modules below find what they hand on. */
const KEY = '__wavelight';

const urlOf = (code: string): string => URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));

/** Addresses of modules by the names under which the code imports them. */
function handOn(): Map<string, string> {
  const all = { ...NAMESPACES, playground: { canvas: playground.canvas } };
  Object.assign(globalThis, { [KEY]: all });
  return new Map(
    Object.entries(all).map(([name, namespace]) => {
      const lines = Object.keys(namespace).map((key) => `export const ${key} = all.${key};`);
      return [name, urlOf(`const all = globalThis.${KEY}[${JSON.stringify(name)}];\n${lines.join('\n')}`)];
    }),
  );
}

/** The name of a module, where an import or an export from it has it. */
const IMPORT = /(\bfrom\s*|\bimport\s*\(?\s*)(["'])(wavelight(?:\/\w+)?|playground)\2/g;

/** Why the code did not run to its end. */
interface Failure {
  readonly message: string;
  readonly line: number | null;
  readonly syntax: boolean;
}

/** Runs the code to its end, and tells `failed` of its errors, later ones included. True if it came to its end. */
export async function runModule(code: string, failed: (failure: Failure) => void): Promise<boolean> {
  const addresses = handOn();
  const unknown = [...code.matchAll(IMPORT)].find(([, , , name = '']) => !addresses.has(name));
  if (unknown?.[3] !== undefined) {
    const message = `There is no module '${unknown[3]}' here, but ${[...addresses.keys()].join(', ')}.`;
    failed({ message, line: lineAt(code, unknown.index), syntax: false });
    return false;
  }
  // Each name stays on its line, so that the lines of errors are those of the editor.
  const module = urlOf(
    code.replace(IMPORT, (_, start: string, quote: string, name: string) =>
      [start, quote, addresses.get(name) ?? name, quote].join(''),
    ),
  );
  const tell = (error: unknown): void => failed(failureOf(error, code, module, addresses));
  // Of promises that the code does not await.
  addEventListener('unhandledrejection', (event) => {
    event.preventDefault();
    tell(event.reason);
  });
  try {
    await import(/* @vite-ignore */ module);
    return true;
  } catch (error) {
    tell(error);
    return false;
  }
}

function failureOf(
  error: unknown,
  code: string,
  module: string,
  addresses: ReadonlyMap<string, string>,
): Failure {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  const readable = [...addresses].reduce((text, [to, from]) => text.replaceAll(from, to), message);
  const at = stack.split(module)[1];
  const line = /^:(\d+)/.exec(at ?? '')?.[1];
  const missing = /export named '(\w+)'/.exec(message)?.[1];
  return {
    message: name === 'Error' ? readable : `${name}: ${readable}`,
    line:
      line !== undefined
        ? Number(line)
        : missing !== undefined
          ? lineAt(code, code.search(new RegExp(`\\b${missing}\\b`)))
          : null,
    syntax: name === 'SyntaxError' && missing === undefined,
  };
}

/** Line of a place in the code, from 1; null for none. */
const lineAt = (code: string, at: number): number | null =>
  at < 0 ? null : code.slice(0, at).split('\n').length;
