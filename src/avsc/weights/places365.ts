import { quote } from '../../nn/checkpoint/quote.ts';

const LINE = /^\/\w\/(\S+) (\d{1,6})$/;

/**
 * Names of the classes in their order, from the text of categories_places365.txt with lines such as
 * "/a/apartment_building/outdoor 8". Throws an Error that names the line if it has another form or a number out of order.
 */
export function parseCategories(text: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new Error('the list of categories is empty');
  return lines.map((line, i) => {
    const [, name, number] = LINE.exec(line) ?? [];
    if (name === undefined || Number(number) !== i) {
      throw new Error(`line ${i + 1} of the categories is ${quote(line)}, expected "/a/airfield ${i}"`);
    }
    return name;
  });
}
