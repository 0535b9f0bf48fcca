import { expect, test } from 'vitest';
import { fnv1a, hashValues, hashWord, type HashKind } from './hash.ts';
import { hashWeight } from './hash_weights.ts';
import { readJson, relativeError } from './oracle.ts';

type Sample =
  | { name: string; words: number[] }
  | { name: string; kind: HashKind; scale: number; bits: number[] }
  | { key: string; shape: number[]; bits: number[] };

const bitsOf = (values: Float32Array | Int32Array): number[] => [...new Uint32Array(values.slice().buffer)];

test.each((readJson('hash.json') as { samples: Sample[] }).samples)('the bits of Python: %o', (sample) => {
  if ('words' in sample) {
    expect(sample.words.map((_, i) => hashWord(fnv1a(sample.name), i))).toEqual(sample.words);
  } else if ('kind' in sample) {
    expect(bitsOf(hashValues(sample.name, 40, sample.kind, sample.scale))).toEqual(sample.bits);
  } else {
    expect(bitsOf(hashWeight(sample.key, sample.shape))).toEqual(sample.bits);
  }
});

test('a sketch estimates a relative error within a third', () => {
  const { sketch } = readJson('hash.json') as { sketch: { name: string; count: number; values: number[] } };
  const exact = hashValues(sketch.name, sketch.count, 'normal');
  const expected = { shape: [33], values: Float64Array.from(sketch.values) };
  expect(relativeError(exact, expected)).toBeLessThan(1e-12);
  const noise = hashValues(`${sketch.name}/noise`, sketch.count, 'normal', 1e-3);
  const noisy = Float64Array.from(exact, (x, i) => x + (noise[i] ?? Number.NaN));
  const whole = relativeError(noisy, { shape: [sketch.count], values: Float32Array.from(exact) });
  expect(Math.abs(relativeError(noisy, expected) / whole - 1)).toBeLessThan(1 / 3);
  noisy[0] = Number.NaN;
  expect(relativeError(noisy, expected)).toBe(Infinity);
});
