import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../src/avsc/dataset/random.ts';
import { packPictures } from '../../src/avsc/augment/pictures/pack.ts';
import { perturbBytes } from '../../src/avsc/augment/pictures/perturb.ts';
import { drawProgram, operationProgram } from '../../src/avsc/augment/pictures/policy.ts';
import { PICTURE_OPERATIONS } from '../../src/avsc/augment/pictures/registry.ts';
import { normalisePictures } from '../../src/avsc/features/pictures.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { AdapterProfile } from '../../src/gpu/profile.ts';
import {
  applyPictures,
  framesOf,
  INSTRUCTION_WORDS,
  pictureTables,
  pictureWords,
  type PictureStep,
  type RowMix,
} from '../../src/kernels/pictures.ts';
import { cases, digestOf, pictureOf, programOf, SIZES, stretchedPictures } from '../avsc/augment/cases.ts';
import { testGpu } from '../support/device.ts';
import { contextOf, VARIANTS } from './compare.ts';
import { buffer, runDispatches, type Values } from './run.ts';
import { FULL } from '../support/scale.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const names = PICTURE_OPERATIONS.map(({ name }) => name);

function joined(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

describe.each(VARIANTS)(
  'picture kernels, $kind variant, params baked: $bakeParams',
  ({ kind, bakeParams }) => {
    let gpu: Gpu;
    let geometry: AdapterProfile;
    beforeAll(async () => {
      gpu = await testGpu({ bakeParams });
      ({ geometry } = contextOf(gpu, kind));
    });
    afterAll(() => {
      gpu.destroy();
    });

    interface Mixing {
      readonly partner: Int32Array<ArrayBuffer>;
      readonly ratio: Float32Array<ArrayBuffer>;
    }

    /** Runs the programs (all of one length) of pictures [n, 3, size, size]; gives the frames [rows, ...]. */
    async function frames(
      bytes: Bytes,
      programs: readonly Int32Array<ArrayBuffer>[],
      size: number,
      {
        table,
        mixing = null,
        perRow = 1,
      }: { table: Float32Array<ArrayBuffer>; mixing?: Mixing | null; perRow?: number },
    ): Promise<Values> {
      const count = bytes.length / (3 * size * size);
      const slots = (programs[0]?.length ?? 0) / INSTRUCTION_WORDS;
      const words = buffer(count * pictureWords(size), 'u32');
      const normal = buffer(3 * 256);
      const given = new Map<ReturnType<typeof buffer>, Values>([
        [words, packPictures(bytes, size)],
        [normal, table],
      ]);
      const instructions = buffer(Math.max(1, count * slots * INSTRUCTION_WORDS), 'i32');
      if (slots > 0) given.set(instructions, Int32Array.from(programs.flatMap((one) => [...one])));
      const dispatches = [];
      let pictures = words;
      let step: PictureStep | null = null;
      for (let slot = 0; slot < slots; slot++) {
        if (step !== null) {
          const next = buffer(words.length, 'u32');
          dispatches.push(applyPictures(geometry, pictures, step, next, size));
          pictures = next;
        }
        const tables = buffer(count * 3 * 256, 'u32');
        step = { programs: instructions, slots, slot, tables };
        dispatches.push(pictureTables(geometry, pictures, step, tables, size));
      }
      let mix: RowMix | null = null;
      if (mixing !== null) {
        mix = { partner: buffer(mixing.partner.length, 'i32'), ratio: buffer(mixing.ratio.length) };
        given.set(mix.partner, mixing.partner).set(mix.ratio, mixing.ratio);
      }
      const rows = mixing?.partner.length ?? count / perRow;
      const y = buffer(rows * perRow * 3 * size * size);
      dispatches.push(framesOf(geometry, pictures, step, normal, mix, y, size, perRow));
      const results = await runDispatches(gpu, dispatches, given);
      return results.get(y) ?? new Float32Array();
    }

    /** A table that leaves bytes as they are. */
    const same = Float32Array.from({ length: 768 }, (_, i) => i % 256);
    const asBytes = (values: Values): Bytes => Uint8Array.from(values);

    it.each(SIZES)("all operations on pictures of side %i are Pillow's", async (size) => {
      const chosen = cases.filter((c) => c[3] === size);
      const bytes = joined(chosen.map((c) => pictureOf(c[4], size)));
      const result = asBytes(await frames(bytes, chosen.map(programOf), size, { table: same }));
      const area = 3 * size * size;
      const wrong = chosen.filter((c, i) => digestOf(result.subarray(i * area, (i + 1) * area)) !== c[8]);
      expect(wrong).toEqual([]);
    });

    it('AutoContrast does what the host does for every lowest and highest byte', async () => {
      const all = stretchedPictures();
      // SwiftShader takes 11 s for all of them, so that it gets each ninth.
      const step = FULL ? 1 : 9;
      const pictures = Array.from({ length: Math.ceil(all.length / 768 / step) }, (_, i) =>
        all.subarray(i * step * 768, (i * step + 1) * 768),
      );
      const program = operationProgram('AutoContrast', 9, 'original', 16, () => 0);
      const programs = pictures.map(() => program);
      const result = asBytes(await frames(joined(pictures), programs, 16, { table: same }));
      const host = joined(pictures.map((bytes) => perturbBytes(bytes, program, 16)));
      expect(digestOf(result)).toBe(digestOf(host));
    });

    it.each([1, 2, 3])('programs of %i operations do what the host does, odd sizes too', async (count) => {
      for (const size of [5, 31, 64]) {
        const pictures = Array.from({ length: 40 }, (_, i) =>
          pictureOf(i % 2 === 0 ? 'noise' : 'narrow', size),
        );
        const programs = pictures.map((_, i) => {
          const random = randomStream(count, size, i);
          const scale = i % 3 === 0 ? 'torchvision' : 'original';
          const policy = {
            operations: names,
            count,
            magnitude: 1 + (i % 10),
            probability: 0.9,
            scale,
          } as const;
          return drawProgram(policy, size, random);
        });
        const result = asBytes(await frames(joined(pictures), programs, size, { table: same }));
        const host = pictures.map((bytes, i) => perturbBytes(bytes, programs[i] ?? new Int32Array(), size));
        expect(digestOf(result)).toBe(digestOf(joined(host)));
      }
    });

    const input = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
    /** Normalized bytes, by normalisePictures. */
    const normalized = (bytes: Uint8Array, size: number): Float32Array<ArrayBuffer> => {
      const out = new Float32Array(bytes.length);
      normalisePictures(bytes, size, input, out);
      return out;
    };
    const normalTable = normalized(
      Uint8Array.from({ length: 768 }, (_, i) => i % 256),
      16,
    );

    it.each([7, 12])('normalizes to the bits of the host and mixes rows, side %i', async (size) => {
      const [rows, partners, perRow] = [4, 2, 2];
      const area = 3 * size * size;
      const pictures = Array.from({ length: (rows + partners) * perRow }, (_, i) =>
        pictureOf('noise', size).map((v) => v ^ (37 * i)),
      );
      const bytes = joined(pictures);
      expect(await frames(bytes, [], size, { table: normalTable, perRow })).toEqual(normalized(bytes, size));
      const policy = {
        operations: names,
        count: 2,
        magnitude: 9,
        probability: 1,
        scale: 'original',
      } as const;
      const programs = pictures.map((_, i) => drawProgram(policy, size, randomStream(i)));
      const mixing = { partner: Int32Array.of(4, 1, 0, 5), ratio: Float32Array.of(0.3, 1, 0.75, 0) };
      const result = await frames(bytes, programs, size, { table: normalTable, mixing, perRow });
      const after = pictures.map((one, i) =>
        normalized(perturbBytes(one, programs[i] ?? new Int32Array(), size), size),
      );
      let worst = 0;
      for (let row = 0; row < rows; row++) {
        const [partner, ratio] = [mixing.partner[row] ?? 0, mixing.ratio[row] ?? 0];
        for (let i = 0; i < perRow * area; i++) {
          const [frame, at] = [Math.floor(i / area), i % area];
          const own = after[row * perRow + frame]?.[at] ?? Number.NaN;
          const other = after[partner * perRow + frame]?.[at] ?? Number.NaN;
          const error = Math.abs(
            (result[row * perRow * area + i] ?? Number.NaN) - (ratio * own + (1 - ratio) * other),
          );
          if (ratio === 1) expect(error).toBe(0);
          worst = Math.max(worst, error);
        }
      }
      console.log(`mixed frames: largest error ${worst}`);
      // Three roundings of numbers below 4.
      expect(worst).toBeLessThanOrEqual(3 * 2 ** -23);
    });

    it('gives NaN for a partner that is no row', async () => {
      for (const partner of [2, -1]) {
        const mixing = { partner: Int32Array.of(partner, 0), ratio: Float32Array.of(0.5, 0.5) };
        const result = await frames(new Uint8Array(24).fill(7), [], 2, { table: same, mixing });
        expect([...result]).toEqual([
          ...new Array<number>(12).fill(Number.NaN),
          ...new Array<number>(12).fill(7),
        ]);
      }
    });
  },
);
