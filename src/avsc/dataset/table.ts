// Tables in TAU's format: a header, then one row per line. The table is untrusted: rows and lines have upper bounds.

import { quote } from '../../nn/checkpoint/quote.ts';

export interface TableRow {
  /** Line in the file, counted from 1, empty lines included. */
  readonly line: number;
  /** Cell by column name (lower case), of the columns asked for that the header has. Surrounding blanks and quotes are removed. */
  readonly cells: ReadonlyMap<string, string>;
}

interface Line {
  readonly line: number;
  readonly text: string;
}

const SEPARATORS = ['\t', ';', ','] as const;
const LONGEST_LINE = 2 ** 16;
const MOST_ROWS = 1_000_000;

/**
 * Decodes a table's bytes: UTF-8 with or without a byte order mark, or UTF-16 with one, as Excel writes it.
 * Throws, naming `file`, if they are something else.
 */
export function decodeTable(bytes: Uint8Array, file: string): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    // UTF-16 without a mark has a NUL beside each letter.
    if (!text.includes('\0')) return text;
  } catch {
    // The same sentence for both.
  }
  throw new Error(`${file} is neither UTF-8 nor UTF-16 with a byte order mark: save it as text in UTF-8`);
}

/**
 * Reads the columns `required` and, where the header has them, `optional`; case does not matter in the header. Cells are separated by tabs,
 * semicolons or commas, whichever separates the required columns in the header, and may be quoted. Empty lines are skipped.
 * Throws, naming `file` and the line: a required column is missing from the header, a column is there twice, a row has another
 * number of cells than the header, a quotation mark is not closed, a line of more than 65,536 characters, more than a million rows.
 */
export function parseTable(
  text: string,
  file: string,
  required: readonly string[],
  optional: readonly string[] = [],
): TableRow[] {
  const lines = filledLines(text, file);
  const first: Line = lines.next().value ?? { line: 1, text: '' };
  const { separator, columns } = readHeader(first, file, required);
  const wanted = [...required, ...optional].filter((name) => columns.includes(name));
  const twice = wanted.find((name) => columns.indexOf(name) !== columns.lastIndexOf(name));
  if (twice !== undefined)
    throw new Error(`${file}, row ${first.line}: the header has the column ${twice} twice; remove one`);
  const places = wanted.map((name) => [name, columns.indexOf(name)] as const);
  const rows: TableRow[] = [];
  for (const { line, text: row } of lines) {
    const cells = splitLine(row, separator);
    if (typeof cells === 'string') throw new Error(`${file}, row ${line}: ${cells}`);
    if (cells.length !== columns.length) {
      throw new Error(
        `${file}, row ${line}: ${cells.length} cells where the header has ${columns.length} columns`,
      );
    }
    if (rows.length === MOST_ROWS)
      throw new Error(`${file} has more than ${MOST_ROWS} rows; cut it into parts`);
    rows.push({ line, cells: new Map(places.map(([name, place]) => [name, cells[place] ?? ''])) });
  }
  return rows;
}

function readHeader(
  { line, text }: Line,
  file: string,
  required: readonly string[],
): { readonly separator: string; readonly columns: readonly string[] } {
  const readings = SEPARATORS.map((separator) => {
    const cells = splitLine(text, separator);
    const columns = typeof cells === 'string' ? [] : cells.map((cell) => cell.toLowerCase());
    return { separator, columns, missing: required.filter((name) => !columns.includes(name)) };
  });
  const [best] = readings.toSorted((a, b) => a.missing.length - b.missing.length);
  if (best === undefined || best.missing.length > 0) {
    throw new Error(
      `${file}, row ${line}: the header lacks ${(best?.missing ?? required).join(' and ')} (found ${quote(text)}); ` +
        `begin the file with a line of column names separated by tabs or commas`,
    );
  }
  return best;
}

/** The lines that are not blank. Lines end by CRLF, LF or CR. */
function* filledLines(text: string, file: string): Generator<Line, undefined> {
  const ends = /\r\n|\n|\r|$/g;
  for (let line = 1, at = text.startsWith('\uFEFF') ? 1 : 0; at <= text.length; line++) {
    ends.lastIndex = at;
    const end = ends.exec(text);
    const stop = end?.index ?? text.length;
    if (stop - at > LONGEST_LINE) {
      throw new Error(
        `${file}, row ${line}: ${stop - at} characters are more than a row of clips can have (${LONGEST_LINE})`,
      );
    }
    const content = text.slice(at, stop);
    if (content.trim() !== '') yield { line, text: content };
    if (stop === text.length) return;
    at = stop + (end?.[0].length ?? 1);
  }
}

/** The cells of a line, or what is wrong with its quotes. */
function splitLine(line: string, separator: string): string[] | string {
  const cells: string[] = [];
  for (let at = 0; at <= line.length;) {
    const start = skipSpaces(line, at);
    if (line[start] === '"') {
      const close = closingQuote(line, start);
      if (close < 0) return `the quotation mark at character ${start + 1} is not closed`;
      const end = skipSpaces(line, close + 1);
      if (end < line.length && line[end] !== separator)
        return `text follows the closing quotation mark at character ${close + 1}`;
      cells.push(
        line
          .slice(start + 1, close)
          .replaceAll('""', '"')
          .trim(),
      );
      at = end + 1;
    } else {
      const next = line.indexOf(separator, at);
      const end = next < 0 ? line.length : next;
      cells.push(line.slice(at, end).trim());
      at = end + 1;
    }
  }
  return cells;
}

function skipSpaces(line: string, from: number): number {
  let at = from;
  while (line[at] === ' ') at++;
  return at;
}

/** Index of the quotation mark that ends what the one at `open` begins; -1 if there is none. Two in a row stand for one. */
function closingQuote(line: string, open: number): number {
  let at = line.indexOf('"', open + 1);
  while (at >= 0 && line[at + 1] === '"') at = line.indexOf('"', at + 2);
  return at;
}
