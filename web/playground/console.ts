// What code prints, as lines of text.

import { Tensor } from 'wavelight';

/** Elements of an array that are shown. */
const SHOWN = 24;
/** Lines of a run that are shown, so that an endless loop does not fill the page. */
const LINES = 500;
const LONGEST = 4000;

type Level = 'log' | 'warn' | 'error';

/** Has `console` tell `show` too. */
export function observeConsole(show: (level: Level, text: string) => void): void {
  let lines = 0;
  for (const [name, level] of [
    ['log', 'log'],
    ['info', 'log'],
    ['debug', 'log'],
    ['warn', 'warn'],
    ['error', 'error'],
  ] as const) {
    const original = console[name].bind(console);
    console[name] = (...values: unknown[]) => {
      original(...values);
      lines++;
      if (lines <= LINES) show(level, values.map(textOf).join(' ').slice(0, LONGEST));
      else if (lines === LINES + 1) show('warn', `Further lines are not shown: ${LINES} are enough.`);
    };
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Tensor) return `Tensor ${value.dtype} [${value.shape.join(', ')}]`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return arrayOf(value as Float32Array);
  if (typeof value === 'function') return `function ${value.name || 'without a name'}`;
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value, (_, part: unknown) =>
      part instanceof Tensor || ArrayBuffer.isView(part) ? textOf(part) : part,
    );
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** `Float32Array(6) [0.1, 2, …]`, with five digits. */
function arrayOf(array: Float32Array): string {
  const shown = Array.from(array.subarray(0, SHOWN), (value) => String(Number(value.toPrecision(5))));
  const more = array.length > SHOWN ? [`… ${array.length - SHOWN} more`] : [];
  return `${array.constructor.name}(${array.length}) [${[...shown, ...more].join(', ')}]`;
}
