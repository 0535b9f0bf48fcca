// Tables in TAU's format: a header, then one row per line, with cells separated by tabs or commas.

export interface TableRow {
  /** Line in the file, counted from 1; the header is line 1. */
  readonly line: number;
  /** Cell by column name, surrounding blanks and quotes removed. */
  readonly cells: ReadonlyMap<string, string>;
}

/**
 * Reads a table with a header. The separator is the tab if the header contains one, else the comma.
 * Empty lines are skipped. Throws, naming `file` and the line, if a required column is missing from the
 * header or a row has another number of cells than the header.
 */
export function parseTable(text: string, file: string, required: readonly string[]): TableRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  const first = lines[0] ?? '';
  const separator = first.includes('\t') ? '\t' : ',';
  const header = splitLine(first, separator);
  const missing = required.filter((column) => !header.includes(column));
  if (missing.length > 0) {
    throw new Error(
      `${file}, row 1: the header lacks ${missing.join(' and ')} (found ${JSON.stringify(first.slice(0, 100))}); ` +
        `begin the file with a line of column names separated by tabs or commas`,
    );
  }
  const rows: TableRow[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (line.trim() === '') continue;
    const cells = splitLine(line, separator);
    if (cells.length !== header.length) {
      throw new Error(
        `${file}, row ${i + 1}: ${cells.length} cells where the header has ${header.length} columns`,
      );
    }
    rows.push({ line: i + 1, cells: new Map(header.map((column, k) => [column, cells[k] ?? ''])) });
  }
  return rows;
}

function splitLine(line: string, separator: string): string[] {
  return line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
}
