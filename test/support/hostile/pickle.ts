// Pickles that would run something, never end, or fill the memory.
import { ascii, below, damage, edgeNumber, pick, setNumber, splice, type Random } from './random.ts';

const join = (...parts: readonly (string | readonly number[])[]): Uint8Array<ArrayBuffer> =>
  ascii(parts.map((part) => (typeof part === 'string' ? part : String.fromCharCode(...part))).join(''));

const HUGE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];

/** Parts of pickles, to be put anywhere. */
const SNIPPETS: readonly Uint8Array[] = [
  join('cos\nsystem\nX', [2, 0, 0, 0], 'ls', [0x85], 'R'),
  join('cposix\nsystem\n', [0x85], 'R'),
  join("(S'ls'\nios\nsystem\n"),
  join("(cos\nsystem\nS'ls'\no"),
  join('cbuiltins\neval\n', ')', [0x81]),
  join('cbuiltins\nobject\n)}', [0x92]),
  join([0x8c, 2], 'os', [0x8c, 6], 'system', [0x93]),
  join('c__builtin__\ngetattr\n'),
  join('ctorch.hub\nload\n'),
  join([0x82, 1]),
  join([0x83, 1, 0]),
  join([0x84, 1, 0, 0, 0]),
  join('}q', [0], 'h', [0], 'h', [0], 's'),
  join(']q', [0], 'h', [0], 'a'),
  join('(h', [0], 'tq', [0]),
  join('r', [0xff, 0xff, 0xff, 0xff]),
  join('j', [0xff, 0xff, 0xff, 0x7f]),
  join([0x8b, 0xff, 0xff, 0xff, 0x7f]),
  join([0x8b, 0xff, 0xff, 0xff, 0xff]),
  join([0x8a, 0xff]),
  join([0x8e], HUGE),
  join([0x8d], HUGE),
  join([0x96], HUGE),
  join([0x95], HUGE),
  join('X', [0xff, 0xff, 0xff, 0xff]),
  join('T', [0xff, 0xff, 0xff, 0xff]),
  join([0x8a, 8], HUGE),
  join('I99999999999999999999\n'),
  join('F1e999\n'),
  join('L123456789012345678901234567890L\n'),
  join('G', [0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
  join('Q'),
  join('P12\n'),
  join('b'),
  join('R'),
  join('2'.repeat(50)),
  join('('.repeat(2000)),
  join(']'.repeat(2000)),
  join('}'.repeat(500), 'N'),
  join('(((((ttttt'),
  join('0'.repeat(20)),
  join('1'),
  join('.'),
  join([0x97, 0x98]),
];

const PROTOCOL = [0x80, 2];
/** Doubles a tuple of itself 64 times: 2^64 leaves in 200 bytes. */
const LAUGHS = Array.from({ length: 64 }, (_, i) => [0x71, i, 0x68, i, 0x68, i, 0x86]).flat();

/** Whole pickles, made when they are asked for since some are large. */
export const PICKLES: readonly (() => Uint8Array)[] = [
  () => join(PROTOCOL, 'cos\nsystem\nX', [2, 0, 0, 0], 'ls', [0x85], 'R.'),
  () => join(PROTOCOL, "(S'ls'\nios\nsystem\n."),
  () => join(PROTOCOL, ']q', [0], 'h', [0], 'a.'),
  () => join(PROTOCOL, '}q', [0], 'X', [1, 0, 0, 0], 'ah', [0], 's.'),
  () => join(PROTOCOL, '(', LAUGHS, 't.'),
  () => join(PROTOCOL, '}X', [1, 0, 0, 0], 'a', ')', LAUGHS, 's.'),
  () => join(PROTOCOL, '('.repeat(1_000_000)),
  () => join(PROTOCOL, ']'.repeat(1_000_000), '.'),
  () => join(PROTOCOL, ']'.repeat(300_000), 'a'.repeat(299_999), '.'),
  () => join(PROTOCOL, ')', '\x85'.repeat(300_000), '.'),
  () => join(PROTOCOL, '}', 'X\x01\0\0\0a}'.repeat(100_000), 's'.repeat(100_000), '.'),
  () => join(PROTOCOL, ')', '2'.repeat(1_000_000), '.'),
  () => join(PROTOCOL, [0x8b, 0, 0, 0x0f, 0], '\x7f'.repeat(0x0f0000), '.'),
  () => join(PROTOCOL, 'L', '9'.repeat(500_000), 'L\n.'),
  () => join(PROTOCOL, '(' + 'K\x01'.repeat(300_000) + 'l.'),
];

const CODES = [
  ...ascii('().0126789BCDEFGHIJKLMNPQRSTUVXabcdeghijlopqrstu}]'),
  ...Array.from({ length: 25 }, (_, i) => 0x80 + i),
];

/** A pickle with other opcodes, numbers, globals or snippets. */
export function mutatePickle(valid: Uint8Array, random: Random): Uint8Array {
  let bytes = valid.slice();
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const at = 2 + below(random, Math.max(bytes.length - 2, 1));
    const kind = random();
    if (kind < 0.3) bytes = splice(bytes, at, random() < 0.5 ? 0 : 1, pick(random, SNIPPETS)).slice();
    else if (kind < 0.5) bytes[at] = pick(random, CODES);
    else if (kind < 0.8) changeNumber(bytes, at, random);
    else bytes = damage(bytes, random).slice();
  }
  return bytes;
}

/** The number after the next opcode that has one. */
function changeNumber(bytes: Uint8Array, from: number, random: Random): void {
  const widths: Readonly<Record<number, number | undefined>> = {
    0x4b: 1,
    0x4d: 2,
    0x4a: 4,
    0x58: 4,
    0x68: 1,
    0x71: 1,
    0x8a: 9,
  };
  for (let at = from; at < bytes.length; at++) {
    const width = widths[bytes[at] ?? 0];
    if (width === undefined) continue;
    setNumber(bytes, at + 1, width, edgeNumber(random, bytes.length));
    return;
  }
}
