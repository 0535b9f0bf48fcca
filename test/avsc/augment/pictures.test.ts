import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { perturbBytes } from '../../../src/avsc/augment/pictures/perturb.ts';
import { PICTURE_OPERATIONS } from '../../../src/avsc/augment/pictures/registry.ts';
import type { PictureOperationName } from '../../../src/avsc/augment/pictures/operation.ts';
import { packPictures } from '../../../src/avsc/augment/pictures/pack.ts';
import {
  drawProgram,
  operationProgram,
  PAPER_PICTURES,
  singleOperation,
  type PicturePolicy,
} from '../../../src/avsc/augment/pictures/policy.ts';
import { randomStream } from '../../../src/avsc/dataset/random.ts';
import { INSTRUCTION_WORDS, PICTURE_KINDS } from '../../../src/kernels/pictures.ts';
import {
  autocontrast,
  cases,
  digestOf,
  pictureOf,
  programOf,
  rectangles,
  SIZES,
  stretchedPictures,
} from './cases.ts';

const names = PICTURE_OPERATIONS.map(({ name }) => name);

describe('operations on pictures', () => {
  it('are those of the folder, each with cases of every size', () => {
    const folder = join(import.meta.dirname, '../../../src/avsc/augment/pictures/operations');
    const files = readdirSync(folder);
    const fileOf = (name: string) => `${name.replace(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase()}.ts`;
    expect(names.map(fileOf).sort()).toEqual(files.sort());
    for (const name of names)
      expect(new Set(cases.flatMap((c) => (c[0] === name ? [c[3]] : [])))).toEqual(new Set(SIZES));
  });

  it.each(names)("%s is Pillow's, bit for bit", (name) => {
    const wrong = cases.filter((c) => {
      const [operation, , , size, kind, , , , digest] = c;
      return (
        operation === name && digestOf(perturbBytes(pictureOf(kind, size), programOf(c), size)) !== digest
      );
    });
    expect(wrong).toEqual([]);
  });

  it.each(names)("%s is Pillow's on pictures that are no squares", (name) => {
    const own = rectangles.filter(([operation]) => operation === name);
    expect(own.length).toBeGreaterThan(4);
    const wrong = own.filter((c) => {
      const [, , , extent, kind, , , , digest] = c;
      return digestOf(perturbBytes(pictureOf(kind, extent), programOf(c), extent)) !== digest;
    });
    expect(wrong).toEqual([]);
  });

  it("AutoContrast is Pillow's for every lowest and highest byte", () => {
    const bytes = stretchedPictures();
    const program = operationProgram('AutoContrast', 9, 'original', 16, () => 0);
    for (let at = 0; at < bytes.length; at += 768)
      bytes.set(perturbBytes(bytes.subarray(at, at + 768), program, 16), at);
    expect(bytes.length).toBe(autocontrast.pairs * 256);
    expect(digestOf(bytes)).toBe(autocontrast.digest);
  });
});

describe('policies', () => {
  const draws = 10_000;
  const policy = { ...PAPER_PICTURES, operations: ['Invert', 'Equalize', 'Identity'] } as const;
  const kindsOf = (of: PicturePolicy): number[][] =>
    Array.from({ length: draws }, (_, i) => {
      const program = drawProgram(of, 224, randomStream(3, i));
      return Array.from({ length: of.count }, (__, slot) => program[slot * INSTRUCTION_WORDS] ?? -1);
    });
  const { IDENTITY, INVERT, EQUALIZE, SHARPNESS, CONTRAST } = PICTURE_KINDS;

  it('draw each operation alike, one by one', () => {
    const counts = new Map<string, number>();
    for (const kinds of kindsOf(policy)) counts.set(kinds.join(), (counts.get(kinds.join()) ?? 0) + 1);
    const all = [INVERT, EQUALIZE, IDENTITY];
    const pairs = all.flatMap((first) => all.map((second) => [first, second].join()));
    expect([...counts.keys()].sort()).toEqual(pairs.sort());
    const expected = draws / 9;
    const chi2 = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    console.log(`chi-square of pairs ${chi2}, 8 degrees of freedom`);
    // Exceeded with probability 1e-3.
    expect(chi2).toBeLessThan(26.1);
  });

  it('leave a picture alone with the rest of the probability', () => {
    const kinds = kindsOf(singleOperation('Invert'));
    expect(kinds.every((one) => one.length === 1)).toBe(true);
    const done = kinds.filter(([kind]) => kind === INVERT).length;
    expect(Math.abs(done - draws / 2)).toBeLessThan(4 * Math.sqrt(draws / 4));
    expect(drawProgram({ ...policy, count: 0 }, 224, randomStream(1)).length).toBe(0);
    expect(new Set(kindsOf({ ...policy, probability: 0 }).flat())).toEqual(new Set([IDENTITY]));
  });

  it("are the paper's by default: two of Sharpness, Contrast and Identity, with factor 1.72", () => {
    const programs = Array.from({ length: 100 }, (_, i) => [
      ...drawProgram(PAPER_PICTURES, 224, randomStream(i)),
    ]);
    const seen = new Set(programs.flatMap((p) => [p.slice(0, 3).join(), p.slice(8, 11).join()]));
    const factor = [Math.fround(1.72) * 2 ** 23, 23];
    expect(seen).toEqual(
      new Set(
        [
          [IDENTITY, 0, 0],
          [SHARPNESS, ...factor],
          [CONTRAST, ...factor],
        ].map((words) => words.join()),
      ),
    );
  });

  it("have the paper's magnitudes at M = 9, and the same draws for the same stream", () => {
    const at = (name: PictureOperationName, sign: number) =>
      [...operationProgram(name, 9, 'original', 224, () => (sign < 0 ? 0 : 0.75))].slice(1, 7);
    expect(at('TranslateX', -1)).toEqual([65536, 0, -90 * 65536 + 32768, 0, 65536, 32768]);
    expect(at('ShearY', 1)).toEqual([
      65536,
      0,
      32768,
      Math.round(0.27 * 65536),
      65536,
      32768 + Math.round(0.135 * 65536),
    ]);
    expect(at('Solarize', 1)[0]).toBe(230);
    expect(at('Posterize', 1)[0]).toBe(0b11100000);
    expect(at('Cutout', 1).slice(0, 4)).toEqual([132, 132, 204, 204]);
    const wide = { ...policy, operations: names };
    expect(drawProgram(wide, 224, randomStream(8))).toEqual(drawProgram(wide, 224, randomStream(8)));
    expect(drawProgram(wide, 224, randomStream(8))).not.toEqual(drawProgram(wide, 224, randomStream(9)));
  });

  it('are refused where they cannot be', () => {
    const draw = (change: Partial<PicturePolicy>) => () =>
      drawProgram({ ...policy, ...change }, 224, randomStream(1));
    expect(draw({ magnitude: 11 })).toThrow('a magnitude is a number of 0 to 10, got 11');
    expect(draw({ probability: -1 })).toThrow('a probability is a number of 0 to 1, got -1');
    expect(draw({ count: 1.5 })).toThrow('got 1.5');
    expect(draw({ operations: [] })).toThrow('needs operations to draw 2 of them from');
    expect(draw({ operations: ['Blur' as 'Rotate'] })).toThrow(
      "no picture operation 'Blur': there are TranslateX",
    );
  });
});

describe('packed pictures', () => {
  it('are a view where nothing is to pad, else start a word each', () => {
    const even = Uint8Array.from({ length: 24 }, (_, i) => i);
    expect(packPictures(even, 2).buffer).toBe(even.buffer);
    expect([...packPictures(even, 2)].slice(0, 2)).toEqual([0x03020100, 0x07060504]);
    expect([...packPictures(Uint8Array.of(1, 2, 3, 4, 5, 255), 1)]).toEqual([0x030201, 0xff0504]);
    const shifted = new Uint8Array(13).subarray(1);
    expect([...packPictures(shifted.fill(1), 2)]).toEqual(new Array(3).fill(0x01010101));
  });

  it('are refused where the bytes are no pictures', () => {
    expect(() => packPictures(new Uint8Array(13), 2)).toThrow('13 bytes are no pictures of 3 x 2 x 2');
    expect(() => packPictures(new Uint8Array(12), 0)).toThrow('of 1 to 2048 pixels a side, got 0');
    expect(() => perturbBytes(new Uint8Array(11), new Int32Array(8), 2)).toThrow(
      '11 bytes are no picture of 3 x 2 x 2',
    );
    expect(() => perturbBytes(new Uint8Array(12), Int32Array.of(99, 0, 0, 0, 0, 0, 0, 0), 2)).toThrow(
      'kind 99',
    );
  });
});
