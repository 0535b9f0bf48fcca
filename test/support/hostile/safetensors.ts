import { writeSafetensors } from '../../../src/nn/checkpoint/safetensors/file.ts';
import { ascii, below, damage, edgeNumber, pick, setNumber, splice, type Random } from './random.ts';

const valid = writeSafetensors(
  new Map([
    ['conv.weight', { shape: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) }],
    ['steps', { shape: [], data: new Int32Array([7]) }],
    ['none', { shape: [0, 4], data: new Float32Array(0) }],
  ]),
  new Map([['format', 'pt']]),
);

function withHeader(json: string, data = 28): Uint8Array {
  const text = ascii(json);
  const file = new Uint8Array(8 + text.length + data);
  setNumber(file, 0, 8, BigInt(text.length));
  file.set(text, 8);
  return file;
}

const tensor = (shape: string, offsets: string, dtype = '"F32"'): string =>
  `{"a":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`;

export const HANDMADE: readonly (() => Uint8Array)[] = [
  () => withHeader(`{${Array.from({ length: 100_000 }, (_, i) => `"a${i}":{}`).join()}}`),
  () => withHeader('['.repeat(200_000)),
  () => withHeader('{"a":'.repeat(200_000)),
  () => withHeader(tensor('[9223372036854775808]', '[0,4]')),
  () => withHeader(tensor('[4294967296,4294967296]', '[0,0]')),
  () => withHeader(tensor('[0,9007199254740993]', '[0,0]'), 0),
  () => withHeader(tensor(`[${'1,'.repeat(100_000)}1]`, '[0,4]'), 4),
  () => withHeader(tensor('[1e308,1e308,0]', '[0,0]'), 0),
  () => withHeader(tensor('[1]', '[-4,0]'), 4),
  () => withHeader(tensor('[1]', '[9007199254740992,9007199254740996]'), 4),
  () => withHeader(tensor('[1]', '[0,4]', `"${'F'.repeat(100_000)}"`), 4),
  () => withHeader(`{"${'n'.repeat(100_000)}\\n\\u2028":3}`),
  () => withHeader('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
  () => withHeader('{"../../etc/passwd":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
];

const NUMBERS = /-?\d+/g;
const NAMES = [
  'F64',
  'I64',
  'BOOL',
  'F8',
  'dtype',
  'shape',
  '__metadata__',
  '__proto__',
  '',
  'data_offsets',
  '\\u0000',
];

/** The header's numbers and names changed, its length kept right or not. */
export function mutate(random: Random): Uint8Array {
  if (random() < 0.3) return damage(valid, random);
  const start = 8 + Number(new DataView(valid.buffer).getBigUint64(0, true));
  let json = String.fromCharCode(...valid.subarray(8, start));
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const kind = random();
    const numbers = [...json.matchAll(NUMBERS)];
    const names = [...json.matchAll(/"[^"]*"/g)];
    if (kind < 0.55 && numbers.length > 0) {
      const { index, 0: old } = pick(random, numbers);
      const value = pick(random, [
        String(edgeNumber(random, valid.length)),
        '1e308',
        '1.5',
        '-0',
        'null',
        '[]',
        `${old}0`,
      ]);
      json = json.slice(0, index) + value + json.slice(index + old.length);
    } else if (kind < 0.9 && names.length > 0) {
      const { index, 0: old } = pick(random, names);
      json = json.slice(0, index) + JSON.stringify(pick(random, NAMES)) + json.slice(index + old.length);
    } else {
      const at = below(random, json.length);
      json =
        json.slice(0, at) + pick(random, ['{', '}', '[', ']', ',', ':', '"', '\\', '\n']) + json.slice(at);
    }
  }
  const file = withHeader(json, 0);
  if (random() < 0.1) setNumber(file, 0, 8, edgeNumber(random, valid.length));
  return splice(file, file.length, 0, valid.slice(start));
}
