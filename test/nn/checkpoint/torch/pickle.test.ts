import { describe, expect, it, test } from 'vitest';
import { readPickle } from '../../../../src/nn/checkpoint/torch/pickle.ts';
import { MorePickleNeeded } from '../../../../src/nn/checkpoint/torch/pickle_cursor.ts';
import type { PickleValue } from '../../../../src/nn/checkpoint/torch/pickle_values.ts';
import { bytesSource } from '../../../../src/nn/checkpoint/source.ts';
import { TORCH_RULES } from '../../../../src/nn/checkpoint/torch/globals.ts';
import { readTorchZip } from '../../../../src/nn/checkpoint/torch/zip.ts';
import { joined } from '../../../support/torch_writer.ts';
import { writeZip } from '../../../support/torch_writer_zip.ts';

/** Milliseconds that bounded work never takes, however busy the machine is; a reader that is caught takes far more. */
const UNBOUNDED = 20_000;

/** Bytes of a pickle: texts as latin1, numbers as bytes. */
const ops = (...parts: readonly (string | number | Uint8Array)[]): Uint8Array =>
  joined(
    parts.map((part) => {
      if (part instanceof Uint8Array) return part;
      return typeof part === 'number'
        ? Uint8Array.of(part)
        : Uint8Array.from(part, (char) => char.charCodeAt(0));
    }),
  );
const le = (size: 4 | 8, value: bigint): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const repeated = (count: number, text: string): Uint8Array => ops(text.repeat(count));

const read = (bytes: Uint8Array, limit = bytes.length): PickleValue =>
  readPickle({ bytes, limit, origin: 0, holder: 'the file', at: 0 }, TORCH_RULES).value;

const list = (...items: PickleValue[]): PickleValue => ({ kind: 'list', items });
const tuple = (...items: PickleValue[]): PickleValue => ({ kind: 'tuple', items });
const dict = (...entries: PickleValue[]): PickleValue => ({ kind: 'dict', entries });

describe('values of all protocols', () => {
  test.each<[string, Uint8Array, PickleValue]>([
    ['NONE, bools', ops('(NI00\nI01\n', 0x88, 0x89, 'l.'), list(null, false, true, true, false)],
    ['INT, LONG', ops('(I-7\nL12345678901234567890L\nL5L\nl.'), list(-7, 12345678901234567890n, 5)],
    ['BININT', ops('(J', le(4, 0xfffffffen), 'K', 200, 'M', 0x34, 0x12, 'l.'), list(-2, 200, 0x1234)],
    ['LONG1, LONG4', ops('(', 0x8a, 0, 0x8a, 2, 0, 0x80, 0x8b, le(4, 1n), 255, 'l.'), list(0, -32768, -1)],
    [
      'the widest numbers',
      ops('(', 0x8a, 8, le(8, 2n ** 53n), 0x8a, 8, le(8, 2n ** 53n - 1n), 'l.'),
      list(2n ** 53n, 2 ** 53 - 1),
    ],
    [
      'FLOAT, BINFLOAT',
      ops('(F1.5e3\nFinf\nG', 0xbf, 0xf8, 0, 0, 0, 0, 0, 0, 'l.'),
      list(1500, Infinity, -1.5),
    ],
    ['STRING', ops("(S'a\\n\\x41\\\\\\''\nS\"b'\"\nl."), list("a\nA\\'", "b'")],
    ['BINSTRING is latin1', ops('(U', 1, 0x80, 'T', le(4, 2n), 0xe9, 0xff, 'l.'), list('\x80', 'éÿ')],
    ['UNICODE', ops('(V\\u00e9\\U0001f600\xe9\\n\nl.'), list('é😀é\\n')],
    [
      'BINUNICODE',
      ops('(X', le(4, 2n), 0xc3, 0xa9, 0x8c, 1, 'b', 0x8d, le(8, 1n), 'c', 'l.'),
      list('é', 'b', 'c'),
    ],
    [
      'BINBYTES',
      ops('(C', 1, 7, 'B', le(4, 1n), 8, 0x8e, le(8, 1n), 9, 0x96, le(8, 0n), 'l.'),
      list(Uint8Array.of(7), Uint8Array.of(8), Uint8Array.of(9), Uint8Array.of()),
    ],
    [
      'tuples',
      ops('()K', 1, 0x85, 'K', 2, 'K', 3, 0x86, 'NNN', 0x87, '(K', 4, 'tl.'),
      list(tuple(), tuple(1), tuple(2, 3), tuple(null, null, null), tuple(4)),
    ],
    ['lists', ops('(](K', 1, 'eK', 2, 'al.'), list(list(1, 2))],
    ['dicts', ops('(}K', 1, 'Ns(K', 2, 'Nu(K', 3, 'Ndl.'), list(dict(1, null, 2, null), dict(3, null))],
    [
      'sets',
      ops('(', 0x8f, '(K', 1, 0x90, '(K', 2, 0x91, 'l.'),
      list({ kind: 'set', items: [1] }, { kind: 'set', items: [2] }),
    ],
    [
      'memo',
      ops(']q', 5, 'K', 1, 'r', le(4, 300n), 'ap7\n0(h', 5, 'j', le(4, 300n), 'g7\nl.'),
      list(list(1), 1, list(1)),
    ],
    ['MEMOIZE', ops(0x80, 4, 0x95, le(8, 3n), 'N', 0x94, ']', 0x94, 'h', 0, 'a.'), list(null)],
    ['POP, POP_MARK, DUP', ops('(K', 1, '(K', 2, '1K', 3, '02K', 4, '(0l.'), list(1, 1, 4)],
    ['GLOBAL and REDUCE', ops('ctorch\nSize\n((K', 2, 'ttR.'), { kind: 'tuple', items: [2] }],
    [
      'STACK_GLOBAL',
      ops(0x8c, 5, 'torch', 0x8c, 7, 'float16', 0x93, '.'),
      { kind: 'global', name: 'torch.float16' },
    ],
    ['OrderedDict of pairs', ops('ccollections\nOrderedDict\n((](K', 1, 'K', 2, 'eltR}b.'), dict(1, 2)],
    [
      'calls are recorded',
      ops("ctorch\ndevice\n(S'cpu'\ntRN", 'b.'),
      { kind: 'call', name: 'torch.device', args: ['cpu'], state: null },
    ],
  ])('%s', (_, bytes, value) => {
    expect(read(bytes)).toEqual(value);
  });
});

const CODE = 'which weights do not need and which is never run';

describe('nothing is executed', () => {
  const command = "S'touch /tmp/owned'\n";
  test.each<[string, Uint8Array, string]>([
    ['REDUCE', ops(`cos\nsystem\n(${command}tR.`), `byte 0 of the file: it names os.system, ${CODE}`],
    ['posix', ops(`cposix\nsystem\n(${command}tR.`), 'it names posix.system'],
    ['INST', ops(`(${command}ios\nsystem\n.`), 'it names os.system'],
    ['OBJ', ops(`(cos\nsystem\n${command}o.`), 'it names os.system'],
    ['OBJ of what is no name', ops(`(${command}${command}o.`), 'a text is called, which is never done'],
    ['OBJ of nothing', ops('(o.'), 'nothing is called, which is never done'],
    ['NEWOBJ', ops(`csubprocess\nPopen\n(${command}t`, 0x81, '.'), 'it names subprocess.Popen'],
    ['NEWOBJ_EX', ops(`ctorch\ndevice\n)}`, 0x92, '.'), 'torch.device is made with keywords'],
    ['STACK_GLOBAL', ops(0x80, 4, 0x8c, 8, 'builtins', 0x8c, 4, 'eval', 0x93, '.'), 'it names builtins.eval'],
    ['STACK_GLOBAL of a list', ops(']]', 0x93, '.'), 'a name consists of a list and a list'],
    ['a constant', ops('ctorch\nfloat32\n)R.'), 'the name torch.float32 is called, which is never done'],
    ['a text', ops(`${command})R.`), 'a text is called, which is never done'],
    ['EXT1', ops(0x82, 1, '.'), 'extension registry'],
    ['EXT4', ops(0x84, le(4, 1n), '.'), 'extension registry'],
    ['PERSID', ops('Pstorage\n.'), '0x50 is no operation'],
    ['NEXT_BUFFER', ops(0x97, '.'), '0x97 is no operation'],
    ['BUILD of a list', ops(']}b.'), 'a list has no state'],
    [
      'a nested torch.load',
      ops('ctorch.storage\n_load_from_bytes\n(C', 1, 0, 'tR.'),
      'it names torch.storage._load_from_bytes',
    ],
    [
      'attributes of allowed modules',
      ops('ctorch._utils\n_import_dotted_name\n.'),
      'it names torch._utils._import_dotted_name',
    ],
    ['Object.prototype', ops('ctorch\nconstructor\n.'), 'it names torch.constructor'],
    ['a dotted way out', ops(0x8c, 5, 'torch', 0x8c, 9, 'os.system', 0x93, '.'), 'it names torch.os.system'],
  ])('%s', (_, bytes, why) => {
    expect(() => read(bytes)).toThrow(why);
  });
});

describe('damage and tricks end in an error at once', () => {
  const deep = 499_000;
  const shared = ops(']q', 0, '(', repeated(200_000, 'N'), 'e');
  test.each<[string, Uint8Array, string]>([
    ['no bytes', ops(''), 'cut short'],
    ['STOP on nothing', ops('.'), 'finds nothing'],
    ['protocol 6', ops(0x80, 6, 'N.'), 'protocol 6'],
    ['an unknown operation', ops(0xff), '0xff'],
    ['LONG4 of 2 GB', ops(0x8b, le(4, 0x7fffffffn), 0), 'an integer has 2147483647 bytes'],
    ['BINUNICODE of 4 GB', ops('X', le(4, 0xffffffffn), 'a'), 'claims 4294967295 more bytes, the file has 1'],
    ['BINUNICODE8 of 2^63', ops(0x8d, le(8, 2n ** 63n), 'a'), 'claims 9223372036854776000 more bytes'],
    ['BINBYTES8 of 2^64 - 1', ops(0x8e, le(8, 2n ** 64n - 1n)), 'more bytes, the file has 0'],
    ['BYTEARRAY8 of 2^40', ops(0x96, le(8, 2n ** 40n)), 'claims 1099511627776 more bytes'],
    ['LONG of many digits', ops('L', repeated(100_000, '9'), 'L\n.'), 'is no integer'],
    ['INT of words', ops('I0x10\n.'), 'is no integer'],
    ['FLOAT of words', ops('Fone\n.'), 'is no number'],
    ['a STRING without quotes', ops('Sabc\n.'), 'no quotes'],
    ['a line without an end', ops('cos'), 'a line has no end'],
    ['a text that is not UTF-8', ops('X', le(4, 1n), 0xff, '.'), 'not UTF-8'],
    ['marks', ops(repeated(deep, '('), '.'), 'nothing on the stack'],
    ['marks without an end', repeated(deep, '('), 'cut short'],
    ['lists', ops(repeated(10 ** 6, ']')), 'more than 500000 operations'],
    ['items added to a number', ops('K', 1, '(Ne.'), 'items are added to the value 1'],
    ['items set in a list', ops('](NNu.'), 'items are set in a list'],
    ['a key without a value', ops('}(Nu.'), 'a key of a dict has no value'],
    ['a mark that is missing', ops('Nt.'), 'finds no mark'],
    ['what lies behind a mark', ops('NN(', 0x86, '.'), 'too little'],
    ['GET of nothing', ops('h', 9, '.'), 'nothing was kept under the number 9'],
    ['GET of a negative number', ops('g-1\n.'), 'no place in the memo'],
    [
      'a name of a million letters',
      ops('c', repeated(10 ** 6, 'a'), '\nb\n.'),
      'a name has 1000001 characters',
    ],
    [
      'copies of a long list',
      ops(
        shared,
        '0',
        ops('cbuiltins\nset\n(h', 0, 'tR'),
        ...Array.from({ length: 5 }, () => ops('cbuiltins\nset\n(h', 0, 'tR')),
        '.',
      ),
      'more than 500000 operations',
    ],
  ])(
    '%s',
    (_, bytes, why) => {
      expect(() => read(bytes)).toThrow(why);
    },
    UNBOUNDED,
  );

  it('reads lists that are nested a hundred thousand deep without recursion', () => {
    const depth = 100_000;
    expect(read(ops(repeated(depth, ']'), repeated(depth - 1, 'a'), '.'))).toMatchObject({ kind: 'list' });
  });

  it('asks for more where the file goes on, and only there', () => {
    const whole = ops('(X', le(4, 3n), 'abccos\nsystem\n');
    for (let size = 0; size < whole.length; size++) {
      expect(() => read(whole.subarray(0, size), whole.length)).toThrow(MorePickleNeeded);
      expect(() => read(whole.subarray(0, size))).toThrow('cut short');
    }
  });
});

describe('what lies in loops', () => {
  const fileOf = (pickle: Uint8Array): Promise<unknown> =>
    readTorchZip(bytesSource(joined(writeZip([{ name: 'a/data.pkl', data: pickle }]))));
  const tensor = 'ctorch._utils\n_rebuild_tensor\n)R';
  test.each<[string, Uint8Array, string]>([
    ['a list in itself', ops(']q', 0, 'h', 0, 'a.'), 'it holds a list'],
    ['a dict in itself, no tensors', ops('}q', 0, "S'a'\nh", 0, 's.'), 'it holds no tensors'],
    [
      'a dict in itself, with a tensor',
      ops('}q', 0, "(S'a'\nh", 0, "S'b'\n", tensor, 'u.'),
      'nested more than 32 deep',
    ],
    [
      'a million laughs',
      ops(
        '}q',
        0,
        "S'w'\n",
        tensor,
        's',
        ...Array.from({ length: 30 }, (_, i) => ops('}q', i + 1, "(S'model'\nh", i, "S'b'\nh", i, 'u')),
        '.',
      ),
      'more than 200000 entries',
    ],
    [
      'one wide dict under many names',
      ops(
        '}q',
        0,
        '(',
        ...Array.from({ length: 20_000 }, (_, i) => `I${i}\nN`),
        'u0}(',
        ...Array.from({ length: 20_000 }, (_, i) => ops(`I${i}\nh`, 0)),
        'u.',
      ),
      'share each other too often',
    ],
    [
      'parameters in parameters',
      ops(
        "}S'a'\n",
        repeated(50, 'ctorch._utils\n_rebuild_parameter\n'),
        tensor,
        ...Array.from({ length: 50 }, () => ops(0x85, 'R')),
        's.',
      ),
      'wrapped more than 8 times',
    ],
    [
      'a name of a megabyte',
      ops('}X', le(4, 1_000_000n), repeated(1_000_000, 'n'), tensor, 's.'),
      '1000000 characters',
    ],
  ])(
    '%s',
    async (_, pickle, why) => {
      await expect(fileOf(pickle)).rejects.toThrow(why);
    },
    UNBOUNDED,
  );
});
