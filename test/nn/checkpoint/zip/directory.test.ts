import { describe, expect, it, test } from 'vitest';
import { bytesSource } from '../../../../src/nn/checkpoint/source.ts';
import { readZipDirectory } from '../../../../src/nn/checkpoint/zip/directory.ts';
import { readZipEntry } from '../../../../src/nn/checkpoint/zip/entry.ts';
import { joined } from '../../../support/torch_writer.ts';
import { writeZip, type ZipEntry, type ZipOptions } from '../../../support/torch_writer_zip.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const build = (entries: Iterable<ZipEntry>, options?: ZipOptions): Uint8Array =>
  joined(writeZip(entries, options));

/** Everything in a zip, as text. */
async function unpack(bytes: Uint8Array): Promise<Record<string, string>> {
  const source = bytesSource(bytes);
  const found: Record<string, string> = {};
  for (const entry of (await readZipDirectory(source)).values())
    found[entry.name] = new TextDecoder().decode(await readZipEntry(source, entry));
  return found;
}

const FILES: readonly ZipEntry[] = [
  { name: 'a/', data: new Uint8Array() },
  { name: 'a/one', data: text('first') },
  { name: 'a/два', data: text('second '.repeat(1000)), deflate: true },
  { name: 'a/empty', data: new Uint8Array(), deflate: true },
];
const UNPACKED = { 'a/one': 'first', 'a/два': 'second '.repeat(1000), 'a/empty': '' };

describe('zip', () => {
  it.each<ZipOptions>([{}, { zip64: true }, { descriptors: true }, { alignment: 64, comment: 'PK\x05\x06' }])(
    '%o',
    async (options) => {
      expect(await unpack(build(FILES, options))).toEqual(UNPACKED);
    },
  );

  it('reads ranges, and refuses those outside', async () => {
    const source = bytesSource(build(FILES));
    const entry = (await readZipDirectory(source)).get('a/два');
    if (entry === undefined) throw new Error('the file is missing');
    expect(new TextDecoder().decode(await readZipEntry(source, entry, 6993, 7000))).toBe('second ');
    await expect(readZipEntry(source, entry, 6993, 7001)).rejects.toThrow(
      'has 7000 bytes, not those from 6993 to 7001',
    );
  });

  it('says that a zip is cut short, wherever it ends', async () => {
    const whole = build(FILES);
    for (let size = 0; size < whole.length; size++)
      await expect(unpack(whole.subarray(0, size))).rejects.toThrow('cut short');
  });

  it('no single bit that is turned breaks it', async () => {
    const whole = build(FILES.slice(1, 3), { zip64: true });
    let refused = 0;
    for (let bit = 0; bit < 8 * whole.length; bit += 3) {
      const turned = whole.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = await unpack(turned).catch((error: unknown) => error);
      if (result instanceof Error) {
        expect(result.message).toMatch(/^zip: /);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 2);
  });
});

describe('tricks of zips', () => {
  const data = text('12345678');
  const huge = new Uint8Array(64 * 2 ** 20);
  test.each<[string, readonly ZipEntry[], string]>([
    ['a way up', [{ name: 'a/../../etc/passwd', data }], 'leaves its folder'],
    ['an absolute name', [{ name: '/etc/passwd', data }], 'leaves its folder'],
    ['a name of Windows', [{ name: 'C:/boot.ini', data }], 'leaves its folder'],
    ['a backslash', [{ name: 'a\\..\\b', data }], 'leaves its folder'],
    ['a NUL', [{ name: 'a/b\0.pkl', data }], 'leaves its folder'],
    ['no name', [{ name: '', data }], 'leaves its folder'],
    [
      'a name twice',
      [
        { name: 'a', data },
        { name: 'a', data },
      ],
      'it has "a" twice',
    ],
    [
      'another name before the data',
      [{ name: 'a', data, claim: { localName: 'b' } }],
      'the header of "a" at byte 0 contradicts',
    ],
    [
      'an entry at the place of another',
      [
        { name: 'a', data },
        { name: 'b', data, claim: { offset: 0 } },
      ],
      'where something else begins',
    ],
    [
      'an entry within another',
      [
        { name: 'a', data: huge.subarray(0, 200) },
        { name: 'b', data, claim: { offset: 50 } },
      ],
      'where something else begins',
    ],
    [
      'an entry behind the file',
      [{ name: 'a', data, claim: { offset: 1000 } }],
      'where something else begins',
    ],
    [
      'more bytes than there are',
      [{ name: 'a', data, claim: { size: 2 ** 31, compressedSize: 2 ** 31 } }],
      'where something else begins',
    ],
    [
      'two sizes of what is stored',
      [{ name: 'a', data, claim: { size: 9 } }],
      'is stored as 8 bytes and has 9',
    ],
    ['an unknown method', [{ name: 'a', data, claim: { method: 14 } }], 'method 14'],
    ['encryption', [{ name: 'a', data, claim: { flags: 1 } }], 'is encrypted'],
    ['a bomb', [{ name: 'a', data: huge, deflate: true }], 'zip bomb'],
    [
      'a bomb of many',
      Array.from({ length: 40 }, (_, i) => ({
        name: `${i}`,
        data: huge.subarray(0, 2 ** 20),
        deflate: true,
      })),
      'zip bomb',
    ],
    [
      'a bomb that says it is small',
      [{ name: 'a', data: huge, deflate: true, claim: { size: 10 } }],
      'unfolds to more than its 10 bytes',
    ],
    [
      'less than it says',
      [{ name: 'a', data, deflate: true, claim: { size: 10 } }],
      'unfolds to 8 instead of 10 bytes',
    ],
    [
      'damaged data',
      [{ name: 'a', data: new Uint8Array(20).fill(0xff), claim: { method: 8 } }],
      'are damaged after 0 of 20 bytes',
    ],
  ])('%s', async (_, entries, why) => {
    await expect(unpack(build(entries))).rejects.toThrow(why);
  });

  it('claims of the end record are checked against the file', async () => {
    const whole = build(FILES);
    const at = whole.length - 22;
    const changed = (offset: number, ...bytes: readonly number[]): Promise<unknown> => {
      const copy = whole.slice();
      copy.set(bytes, at + offset);
      return unpack(copy);
    };
    await expect(changed(8, 0xff, 0xff, 0xff, 0xff)).rejects.toThrow('claims 65535 files');
    await expect(changed(16, 0xff, 0xff, 0xff, 0x7f)).rejects.toThrow('behind its own end');
    await expect(changed(16, 1)).rejects.toThrow('damaged');
    await expect(changed(4, 1)).rejects.toThrow('split over several files');
  });
});
