import { describe, expect, it } from 'vitest';
import {
  readSafetensors,
  readSafetensorsFile,
  readSafetensorsHeader,
  safetensorsPieces,
  writeSafetensors,
} from '../../../../src/nn/checkpoint/safetensors/file.ts';
import { bytesSource, type ByteSource } from '../../../../src/nn/checkpoint/source.ts';
import type { HostTensor } from '../../../../src/nn/state.ts';

/** A file with any header, right or wrong. */
function craft(header: unknown, data: ArrayBufferView | number = 0, headerBytes?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const body =
    typeof data === 'number'
      ? new Uint8Array(data)
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, headerBytes ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file;
}

const tensor = (dtype: string, shape: unknown, from: number, to: number) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

/** What a file with one tensor of this type decodes to. */
function decode(dtype: string, elements: ArrayBufferView, count: number): number[] {
  const header = { x: tensor(dtype, [count], 0, elements.byteLength) };
  return [...(readSafetensors(craft(header, elements)).tensors.get('x')?.data ?? [])];
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

describe('safetensors', () => {
  it('gives back what was written, in order, bit for bit', () => {
    const tensors = new Map<string, HostTensor>([
      ['10.weight', { shape: [2, 3], data: new Float32Array([1, -0, NaN, Infinity, 1e-45, 3]) }],
      ['2.scalar', { shape: [], data: new Int32Array([-7]) }],
      ['empty', { shape: [0, 4], data: new Float32Array(0) }],
      ['bits', { shape: [1], data: new Uint32Array([0xffffffff]) }],
      ['__proto__', { shape: [1], data: new Float32Array([5]) }],
    ]);
    const metadata = new Map([
      ['format', 'pt'],
      ['10', 'x"y'],
    ]);
    const file = writeSafetensors(tensors, metadata);
    // An odd offset into a larger buffer, as after reading part of a stream.
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    const read = readSafetensors(shifted);
    expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    expect(Object.fromEntries(read.metadata)).toEqual(Object.fromEntries(metadata));
    for (const [name, { shape, data }] of tensors) {
      const got = read.tensors.get(name);
      expect(got?.shape).toEqual(shape);
      expect(got?.data.constructor).toBe(data.constructor);
      expect(new Uint8Array(got?.data.buffer ?? new ArrayBuffer(1))).toEqual(new Uint8Array(data.buffer));
    }
    expect(writeSafetensors(tensors, metadata)).toEqual(file);
    expect(new DataView(file.buffer).getBigUint64(0, true) % 8n).toBe(0n);
  });

  it("reads Node's Buffer, whose slice() is a view, and leaves it alone", () => {
    const tensors = new Map<string, HostTensor>([
      ['a', { shape: [2], data: new Float32Array([1, 2]) }],
      ['b', { shape: [], data: new Int32Array([-7]) }],
    ]);
    const file = Buffer.from(writeSafetensors(tensors));
    const read = readSafetensors(file).tensors;
    file.fill(0);
    expect([...read]).toEqual([...tensors]);
  });

  it('converts every element type', () => {
    expect(decode('F64', new Float64Array([0.1, -2]), 2)).toEqual([Math.fround(0.1), -2]);
    const halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00, 0x8000];
    expect(decode('F16', new Uint16Array(halves), 7)).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      2 ** -14,
      Infinity,
      -0,
    ]);
    expect(decode('F16', new Uint16Array([0x7e00]), 1)).toEqual([NaN]);
    expect(decode('BF16', new Uint16Array([0x3f80, 0xc040, 0xff80]), 3)).toEqual([1, -3, -Infinity]);
    expect(decode('I64', new BigInt64Array([-5n, 2147483647n]), 2)).toEqual([-5, 2147483647]);
    expect(decode('I16', new Int16Array([-300]), 1)).toEqual([-300]);
    expect(decode('I8', new Int8Array([-3]), 1)).toEqual([-3]);
    expect(decode('U16', new Uint16Array([65535]), 1)).toEqual([65535]);
    expect(decode('U8', new Uint8Array([255, 1]), 2)).toEqual([255, 1]);
    expect(decode('BOOL', new Uint8Array([0, 1]), 2)).toEqual([0, 1]);
    expect(() => decode('I64', new BigInt64Array([1n << 31n]), 1)).toThrow(
      'tensor x: 2147483648 does not fit',
    );
  });

  it('reads a header without the elements', () => {
    const { entries } = readSafetensorsHeader(craft({ a: tensor('BF16', [3, 2], 0, 12) }, 12));
    expect(entries.get('a')).toMatchObject({ dtype: 'BF16', shape: [3, 2] });
  });

  const f32 = (from: number, to: number) => tensor('F32', [(to - from) / 4], from, to);
  const hostile: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'it has 0 bytes'],
    [
      'a header of 2^64 - 1 bytes',
      craft({}, 0, (1n << 64n) - 1n),
      'its header would have 18446744073709551615 bytes',
    ],
    ['a header longer than the file', craft({}, 0, 99n), 'its header would end at byte 107, the file at 10'],
    ['no JSON', craft('{"a":'), 'its header is not JSON'],
    ['JSON nested very deep', craft('['.repeat(200_000)), 'its header is not JSON'],
    ['bytes that are not UTF-8', craft('').fill(0xff, 8), 'its header is not JSON'],
    ['an array for a header', craft('[]'), 'its header is not a JSON object'],
    ['metadata that is no object', craft({ __metadata__: 3 }), '__metadata__ is not an object'],
    ['metadata that is no text', craft({ __metadata__: { a: 3 } }), '__metadata__ "a" is not a text'],
    ['an unknown dtype', craft({ a: tensor('F8', [1], 0, 1) }, 1), 'tensor "a" has dtype "F8"'],
    ['a dtype of Object.prototype', craft({ a: tensor('toString', [1], 0, 1) }, 1), 'has dtype "toString"'],
    ['a null tensor', craft({ a: null }), 'tensor "a" is not described by an object'],
    ['a negative size', craft({ a: tensor('F32', [-1], 0, 4) }, 4), 'tensor "a" has shape [-1]'],
    ['a broken size', craft({ a: tensor('F32', [1.5], 0, 6) }, 6), 'tensor "a" has shape [1.5]'],
    ['a shape of text', craft({ a: tensor('F32', 'big', 0, 4) }, 4), 'tensor "a" has shape "big"'],
    ['sizes whose product overflows', craft({ a: tensor('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4), 'needs'],
    ['offsets past the end', craft({ a: f32(0, 4000) }, 4), 'tensor "a" lies at bytes 0 to 4000 of 4'],
    ['offsets backwards', craft({ a: tensor('F32', [1], 4, 0) }, 4), 'tensor "a" lies at bytes 4 to 0'],
    ['one offset', craft({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4), 'has data_offsets [0]'],
    [
      'a size that does not match',
      craft({ a: tensor('F32', [2], 0, 4) }, 4),
      'needs 8 bytes, its data_offsets hold 4',
    ],
    ['an overlap', craft({ a: f32(0, 8), b: f32(4, 12) }, 12), 'tensor "b" overlaps another tensor'],
    ['a gap', craft({ a: f32(0, 4), b: f32(8, 12) }, 12), 'tensor "b" follows a gap of 4 bytes'],
    ['bytes that belong to nobody', craft({ a: f32(0, 4) }, 9), '5 bytes at its end belong to no tensor'],
  ];
  it.each(hostile)('refuses %s', (_, file, message) => {
    expect(() => readSafetensors(file)).toThrow(message);
  });

  it('refuses a file cut anywhere', async () => {
    const file = writeSafetensors(new Map([['a', { shape: [4], data: new Float32Array(4) }]]));
    for (let length = 0; length < file.length; length++) {
      expect(() => readSafetensors(file.subarray(0, length))).toThrow('not a safetensors file');
      await expect(readSafetensorsFile(bytesSource(file.subarray(0, length)))).rejects.toThrow(
        'not a safetensors file',
      );
    }
  });

  it('opens a file without its elements, and reads a tensor when it is asked for', async () => {
    const header = {
      b: tensor('I8', [2, 2], 2, 6),
      '7': tensor('BF16', [], 0, 2),
      __metadata__: { by: 'x' },
    };
    const memory = bytesSource(craft(header, new Uint8Array([0x80, 0x3f, 1, 2, 3, 255])));
    const reads: number[] = [];
    const source: ByteSource = {
      size: memory.size,
      read: (begin, end) => {
        reads.push(end - begin);
        return memory.read(begin, end);
      },
    };
    const file = await readSafetensorsFile(source);
    expect([file.format, [...file.tensors.keys()], [...file.metadata]]).toEqual([
      'safetensors',
      ['7', 'b'],
      [['by', 'x']],
    ]);
    expect(reads).toEqual([8, memory.size - 8 - 6]);
    expect(await file.tensors.get('7')?.read()).toEqual({ shape: [], data: new Float32Array([1]) });
    expect(await file.tensors.get('b')?.read()).toEqual({
      shape: [2, 2],
      data: new Int32Array([1, 2, 3, -1]),
    });
    expect(await file.tensors.get('b')?.readBytes()).toEqual(new Uint8Array([1, 2, 3, 255]));
    expect(reads.slice(2)).toEqual([2, 4, 4]);
  });

  it('writes piece by piece what it writes at once', async () => {
    const tensors = new Map<string, HostTensor>([
      ['10', { shape: [2, 3], data: new Float32Array([1, -0, NaN, Infinity, 1e-45, 3]) }],
      ['empty', { shape: [0, 4], data: new Float32Array(0) }],
      ['2', { shape: [], data: new Int32Array([-7]) }],
    ]);
    const whole = writeSafetensors(tensors, new Map([['a', 'b']]));
    const { tensors: lazy, metadata } = await readSafetensorsFile(bytesSource(whole));
    const pieces = await collect(safetensorsPieces(lazy, metadata));
    expect(pieces.map(({ length }) => length).slice(1)).toEqual([24, 0, 4]);
    expect(Buffer.concat(pieces).equals(whole)).toBe(true);
  });

  it('refuses to write a tensor that reads shorter than its shape', async () => {
    const short = { dtype: 'F16', shape: [3], readBytes: () => Promise.resolve(new Uint8Array(4)) } as const;
    await expect(collect(safetensorsPieces(new Map([['a', short]])))).rejects.toThrow(
      'tensor a has 4 bytes instead of 6',
    );
  });

  it('refuses to write what cannot be read back', () => {
    const wrong = new Map([['a', { shape: [3], data: new Float32Array(4) }]]);
    expect(() => writeSafetensors(wrong)).toThrow('tensor a of shape [3] has 4 elements instead of 3');
    const reserved = new Map([['__metadata__', { shape: [1], data: new Float32Array(1) }]]);
    expect(() => writeSafetensors(reserved)).toThrow('cannot be named __metadata__');
  });
});
