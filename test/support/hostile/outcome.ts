// What became of a hostile input, and what may not be in the sentence that refuses it.

export interface Outcome {
  readonly read: boolean;
  /** What the error says; undefined where the file was read. */
  readonly error?: string;
  /** What is wrong with how it ended; undefined where nothing is. */
  readonly complaint?: string;
}

const LONGEST_SENTENCE = 600;
/** What engines say where our code did not look before it leapt. A pickle may hold NaN and be told so; sizes may not be NaN. */
const ACCIDENTS =
  /invalid (typed )?array|array buffer|maximum call stack|memory access|out of bounds|cannot read prop|is not (a function|iterable|defined)|undefined|\[object|NaN (bytes|of|to)|(to|at|byte) NaN|offset is outside/i;

/** Judges a message: its length, control characters, and traces of an accident outside of what it cites in quotes. */
export function complaintAboutMessage(message: string, accidents: RegExp = ACCIDENTS): string | undefined {
  if (message.length === 0 || message.length > LONGEST_SENTENCE) return `${message.length} characters`;
  // eslint-disable-next-line no-control-regex -- these are what must not be in a message
  if (/[\x00-\x1f\x7f]/.test(message)) return `control characters: ${JSON.stringify(message)}`;
  const cited = message.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return accidents.test(cited) ? `an accident: ${message}` : undefined;
}
