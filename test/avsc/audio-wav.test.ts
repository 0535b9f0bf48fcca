import nodeWav from 'node-wav';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeWav, encodeWav } from '../../src/avsc/audio/wav.ts';

const u16 = (x: number): number[] => [x & 255, (x >> 8) & 255];
const u32 = (x: number): number[] => [...u16(x & 0xffff), ...u16(x >>> 16)];
const text = (s: string): number[] => Array.from(s, (c) => c.charCodeAt(0));
const chunk = (name: string, body: number[], size = body.length): number[] => [
  ...text(name),
  ...u32(size),
  ...body,
];

function fmt(code: number, channels: number, bits: number, rate = 48000, extra: number[] = []): number[] {
  const block = (channels * bits) / 8;
  const head = [
    ...u16(code),
    ...u16(channels),
    ...u32(rate),
    ...u32(rate * block),
    ...u16(block),
    ...u16(bits),
  ];
  return chunk('fmt ', [...head, ...extra]);
}

function wav(...chunks: number[][]): Uint8Array<ArrayBuffer> {
  const body = chunks.flat();
  return Uint8Array.from([...text('RIFF'), ...u32(body.length + 4), ...text('WAVE'), ...body]);
}

const f64 = (x: number): Uint8Array => new Uint8Array(Float64Array.of(x).buffer);
const W64_TAIL = [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
const W64_RIFF = [0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 4, 0xc1, 0, 0];
const GUID_TAIL = [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];
const extensible = (code: number, bits: number): number[] => [
  ...u16(22),
  ...u16(bits),
  ...u32(3),
  ...u16(code),
  ...GUID_TAIL,
];

describe('decodeWav', () => {
  test('reads PCM of 16, 24 and 32 bits at their extremes', () => {
    const of = (bits: number, data: number[]): number[] => {
      const { channels, sampleRate } = decodeWav(wav(fmt(1, 1, bits), chunk('data', data)));
      expect(sampleRate).toBe(48000);
      return channels.flatMap((samples) => [...samples]);
    };
    expect(of(16, [0, 128, 255, 127, 255, 255, 1, 0])).toEqual([-1, 32767 / 32768, -1 / 32768, 1 / 32768]);
    expect(of(24, [0, 0, 128, 255, 255, 127, 255, 255, 255, 1, 2, 3])).toEqual([
      -1,
      8388607 / 8388608,
      -1 / 8388608,
      0x030201 / 8388608,
    ]);
    expect(of(32, [0, 0, 0, 128, 0, 0, 0, 64])).toEqual([-1, 0.5]);
  });

  test('reads 32-bit float, extensible formats and interleaved channels', () => {
    const floats = [...new Uint8Array(Float32Array.from([0.25, -0.5, 1.5, -2]).buffer)];
    const plain = decodeWav(wav(fmt(3, 2, 32), chunk('data', floats)));
    expect(plain.channels.map((c) => [...c])).toEqual([
      [0.25, 1.5],
      [-0.5, -2],
    ]);
    expect(decodeWav(wav(fmt(0xfffe, 2, 32, 48000, extensible(3, 32)), chunk('data', floats)))).toEqual(
      plain,
    );
    const pcm = decodeWav(
      wav(fmt(0xfffe, 3, 16, 44100, extensible(1, 16)), chunk('data', [0, 64, 0, 32, 0, 192])),
    );
    expect(pcm).toEqual({ sampleRate: 44100, channels: [0.5, 0.25, -0.5].map((x) => Float32Array.of(x)) });
  });

  test('reads PCM of 8 bits and double floats', () => {
    const values = decodeWav(wav(fmt(1, 1, 8), chunk('data', [0, 128, 255, 64]))).channels[0];
    expect([...(values ?? [])]).toEqual([-1, 0, 127 / 128, -0.5]);
    const doubles = chunk('data', [...f64(0.25), ...f64(-1.5)]);
    expect(decodeWav(wav(fmt(3, 1, 64), doubles)).channels).toEqual([Float32Array.of(0.25, -1.5)]);
  });

  test.each([
    // Codes and values of the tables in ITU-T G.711, in units of 16 bits.
    ['A-law', 6, [0x55, 0xd5, 0x2a, 0xaa, 0x45, 0xc5, 0x80], [-8, 8, -32256, 32256, -264, 264, 5504]],
    ['mu-law', 7, [0x00, 0x80, 0xff, 0x7f, 0xfe, 0x7e, 0xef, 0x6f], [-32124, 32124, 0, 0, 8, -8, 132, -132]],
  ])('reads %s by the tables of G.711', (_, code, bytes, values) => {
    const { channels } = decodeWav(wav(fmt(code, 1, 8), chunk('data', bytes)));
    expect([...(channels[0] ?? [])].map((x) => x * 2 ** 15 || 0)).toEqual(values);
  });

  test('reads RF64 and Wave64, and to its end what was written to a pipe', () => {
    const samples = chunk('data', [0, 64, 0, 192]);
    const expected = decodeWav(wav(fmt(1, 1, 16), samples));
    const long = chunk('ds64', [...u32(0), ...u32(0), ...u32(4), ...u32(0), ...u32(2), ...u32(0), ...u32(0)]);
    const rf64 = wav(long, fmt(1, 1, 16), chunk('data', [0, 64, 0, 192], 0xffffffff), chunk('junk', [1, 1]));
    rf64.set(text('RF64'));
    expect(decodeWav(rf64)).toEqual(expected);
    const piped = wav(fmt(1, 1, 16), chunk('data', [0, 64, 0, 192, 7], 0xffffffff));
    piped.set(u32(0xffffffff), 4);
    expect(decodeWav(piped)).toEqual(expected);
    const w64 = (name: string, body: number[]): number[] => [
      ...text(name),
      ...W64_TAIL,
      ...u32(body.length + 24),
      ...u32(0),
      ...body,
      ...new Array<number>((8 - (body.length % 8)) % 8).fill(0),
    ];
    const format = fmt(1, 1, 16).slice(8);
    const head = [...text('riff'), ...W64_RIFF, ...u32(0), ...u32(0), ...text('wave'), ...W64_TAIL];
    const body = [...w64('fact', [1, 2, 3]), ...w64('fmt ', format), ...w64('data', [0, 64, 0, 192])];
    expect(decodeWav(Uint8Array.from([...head, ...body]))).toEqual(expected);
    expect(() => decodeWav(Uint8Array.from([...head, ...body.slice(0, -5)]))).toThrow(
      /"data" chunk says 4 bytes, only 3 follow/,
    );
  });

  test('passes over unknown chunks, with and without the padding byte, and over what follows', () => {
    const sound = [fmt(1, 1, 16), chunk('data', [0, 64])];
    const expected = decodeWav(wav(...sound));
    const odd = chunk('LIST', [1, 2, 3]);
    expect(decodeWav(wav([...odd, 0], ...sound))).toEqual(expected);
    expect(decodeWav(wav(odd, ...sound))).toEqual(expected);
    expect(decodeWav(wav(...sound, chunk('junk', [9, 9]), [7, 7, 7]))).toEqual(expected);
    const shifted = new Uint8Array(200);
    shifted.set(wav(...sound), 3);
    expect(decodeWav(shifted.subarray(3, 3 + wav(...sound).length))).toEqual(expected);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /not a WAV file.*0 bytes/],
    ['another magic', Uint8Array.from(text('OggS........WAVE')), /not a WAV file/],
    ['no chunk', wav(), /no format chunk in its 12 bytes/],
    ['no data', wav(fmt(1, 1, 16)), /no data chunk/],
    ['data first', wav(chunk('data', [0, 0]), fmt(1, 1, 16)), /data comes before its format/],
    ['a short format', wav(chunk('fmt ', [1, 0, 1, 0])), /format chunk has 4 bytes, at least 16/],
    ['zero channels', wav(fmt(1, 0, 16), chunk('data', [0, 0])), /0 channels at 48000 Hz/],
    ['zero rate', wav(fmt(1, 1, 16, 0), chunk('data', [0, 0])), /1 channels at 0 Hz/],
    [
      '12 bits',
      wav(fmt(1, 2, 12), chunk('data', [0, 0, 0])),
      /unsupported WAV encoding \(format 1, 12 bits\)/,
    ],
    ['ADPCM', wav(fmt(2, 1, 4), chunk('data', [0])), /format 2, 4 bits\): convert it to PCM/],
    [
      'an infinite double',
      wav(fmt(3, 1, 64), chunk('data', [0, 0, 0, 0, 0, 0, 240, 127])),
      /infinite in channel 0/,
    ],
    ['a double beyond floats', wav(fmt(3, 1, 64), chunk('data', [...f64(1e300)])), /infinite in channel 0/],
    [
      'data past the end',
      wav(fmt(1, 1, 16), chunk('data', [0, 0], 0xffffffff)),
      /"data" chunk says 4294967295 bytes, only 2 /,
    ],
    [
      'a chunk past the end',
      wav(chunk('junk', [0], 0x7fffffff)),
      /"junk" chunk says 2147483647 bytes, only 1 /,
    ],
    ['half a frame', wav(fmt(1, 2, 24), chunk('data', [0, 0, 0, 0])), /4 bytes of data .* 6-byte frames/],
    ['no samples', wav(fmt(1, 1, 16), chunk('data', [])), /holds no samples/],
    ['a NaN', wav(fmt(3, 1, 32), chunk('data', [0, 0, 192, 127])), /not a number or infinite in channel 0/],
  ])('refuses %s in one sentence', (_, bytes, message) => {
    expect(() => decodeWav(bytes)).toThrow(message);
    let said = '';
    try {
      decodeWav(bytes);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).not.toContain('\n');
  });

  test('refuses a block size that is not the format’s', () => {
    const bytes = wav(fmt(1, 2, 16), chunk('data', [0, 0, 0, 0]));
    bytes[32] = 3;
    expect(() => decodeWav(bytes)).toThrow(/2 channels of 16 bits are 4 bytes, its block size says 3/);
  });

  test('survives any single damaged byte of the head and any cut: a result or a sentence, nothing else', () => {
    const good = encodeWav([Float32Array.of(0.1, 0.2), Float32Array.of(-0.1, -0.2)], 48000, 24);
    let refused = 0;
    const attempt = (bytes: Uint8Array): void => {
      try {
        const { channels } = decodeWav(bytes);
        expect(channels.reduce((sum, c) => sum + c.length, 0)).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        refused += 1;
        expect((error as Error).message).toMatch(/WAV/);
      }
    };
    for (let at = 0; at < 44; at++) {
      for (const value of [0, 1, 127, 128, 255]) {
        const bytes = good.slice();
        bytes[at] = value;
        attempt(bytes);
      }
    }
    for (let length = 0; length < good.length; length++) {
      expect(() => decodeWav(good.subarray(0, length))).toThrow(/WAV/);
    }
    expect(refused).toBeGreaterThan(50);
  });
});

describe('encodeWav', () => {
  test.each([16, 24] as const)('of %d bits comes back within half a step, clipped at the ends', (bits) => {
    const step = 2 ** (1 - bits);
    const left = Float32Array.from({ length: 501 }, (_, i) => Math.sin(i / 7) * 0.99);
    const right = left.map((x) => -x / 3);
    const back = decodeWav(encodeWav([left, right], 44100, bits));
    expect(back.sampleRate).toBe(44100);
    const error = Math.max(
      ...left.map((x, i) => Math.abs(x - (back.channels[0]?.[i] ?? NaN))),
      ...right.map((x, i) => Math.abs(x - (back.channels[1]?.[i] ?? NaN))),
    );
    expect(error).toBeLessThanOrEqual(step / 2);
    const [clipped] = decodeWav(encodeWav([Float32Array.of(1, 2, -1, -3)], 48000, bits)).channels;
    expect([...(clipped ?? [])]).toEqual([1 - step, 1 - step, -1, -1]);
  });

  test('pads an odd body and counts it in the size of the file', () => {
    const bytes = encodeWav([new Float32Array(1)], 48000, 24);
    expect(bytes).toHaveLength(48);
    expect(new DataView(bytes.buffer).getUint32(4, true)).toBe(40);
    expect(new DataView(bytes.buffer).getUint32(40, true)).toBe(3);
  });

  test('refuses no channel and unequal ones', () => {
    expect(() => encodeWav([], 48000, 16)).toThrow(/channels of one length, got \[\]/);
    expect(() => encodeWav([new Float32Array(2), new Float32Array(3)], 48000, 16)).toThrow(/\[2, 3\]/);
  });
});

describe('node-wav, which scales by 2^(bits-1) below zero and by one less above', () => {
  const sound = [0, 1].map((c) => Float32Array.from({ length: 999 }, (_, i) => Math.sin(i / (7 + c)) * 0.9));
  const steps = (samples: Float32Array, below: number, above: number): number[] =>
    [...samples].map((x) => Math.round(x * (x < 0 ? below : above)) || 0);

  test.each([16, 24] as const)('reads what encodeWav writes in %d bits, step by step', (bits) => {
    const scale = 2 ** (bits - 1);
    const bytes = encodeWav(sound, 44_100, bits);
    const { sampleRate, channelData } = nodeWav.decode(bytes);
    expect(sampleRate).toBe(44_100);
    expect(channelData.map((samples) => steps(samples, scale, scale - 1))).toEqual(
      decodeWav(bytes).channels.map((samples) => steps(samples, scale, scale)),
    );
  });

  test.each([16, 24, 32])('writes %d bits that decodeWav reads, step by step', (bits) => {
    const scale = 2 ** (bits - 1);
    // It truncates, but 24 bits below zero it rounds down.
    const round = bits === 24 ? Math.floor : Math.trunc;
    const { sampleRate, channels } = decodeWav(nodeWav.encode(sound, { sampleRate: 8000, bitDepth: bits }));
    expect(sampleRate).toBe(8000);
    channels.forEach((samples, c) => {
      const wanted = sound[c]?.map((x) => round(x < 0 ? x * scale : x * (scale - 1)) / scale);
      expect(samples).toEqual(wanted);
    });
  });

  test('writes float that decodeWav reads to the bit', () => {
    const { channels } = decodeWav(nodeWav.encode(sound, { sampleRate: 8000, bitDepth: 32, float: true }));
    expect(channels).toEqual(sound);
  });
});

const RECORDINGS = new URL('../../../shared/data/tau-mini/audio/', import.meta.url);

describe.skipIf(!existsSync(RECORDINGS))(
  'real recordings (skipped where ../shared/data/tau-mini is absent)',
  () => {
    test('are read, and written again byte for byte', () => {
      const names = readdirSync(RECORDINGS);
      expect(names).toHaveLength(11);
      const lengths = names.map((name) => {
        const bytes = readFileSync(new URL(name, RECORDINGS));
        const { sampleRate, channels } = decodeWav(bytes);
        expect([sampleRate, channels.length]).toEqual([48000, 2]);
        expect(Buffer.compare(bytes, encodeWav(channels, sampleRate, 24))).toBe(0);
        return channels[0]?.length ?? 0;
      });
      console.log(`real recordings: lengths ${[...new Set(lengths)].sort().join(', ')}`);
      expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([479_999, 480_001]);
    });
  },
);
