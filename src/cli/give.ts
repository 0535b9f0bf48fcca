import { writeFileAtomic } from '../node/files.ts';
import { print } from './output.ts';

/** Prints a result as a table or as JSON, and writes it as JSON to a file. */
export async function give(result: object, table: string, json = false, out?: string): Promise<void> {
  const text = JSON.stringify(result, null, 2);
  if (out !== undefined) await writeFileAtomic(out, `${text}\n`);
  await print(json ? text : table);
}
