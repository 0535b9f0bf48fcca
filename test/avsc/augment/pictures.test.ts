import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { perturbBytes } from '../../../src/avsc/augment/pictures/perturb.ts';
import { PICTURE_OPERATIONS } from '../../../src/avsc/augment/pictures/operations/index.ts';
import { operationProgram } from '../../../src/avsc/augment/pictures/policy.ts';
import { autocontrast, cases, digestOf, pictureOf, programOf, SIZES, stretchedPictures } from './cases.ts';

const names = PICTURE_OPERATIONS.map(({ name }) => name);

describe('operations on pictures', () => {
  it('are those of the folder, each with cases of every size', () => {
    const folder = join(import.meta.dirname, '../../../src/avsc/augment/pictures/operations');
    const files = readdirSync(folder).filter((file) => file !== 'index.ts');
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

  it("AutoContrast is Pillow's for every lowest and highest byte", () => {
    const bytes = stretchedPictures();
    const program = operationProgram('AutoContrast', 9, 'original', 16, () => 0);
    for (let at = 0; at < bytes.length; at += 768)
      bytes.set(perturbBytes(bytes.subarray(at, at + 768), program, 16), at);
    expect(bytes.length).toBe(autocontrast.pairs * 256);
    expect(digestOf(bytes)).toBe(autocontrast.digest);
  });
});
