import elements from '../../shaders/lib_elements.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import picture from '../../shaders/lib_picture.wgsl';
import applySource from '../../shaders/picture_apply.wgsl';
import tablesSource from '../../shaders/picture_tables.wgsl';
import { bytesOf, u32, uniform, type BufferRef, type Dispatch, type ParamValue } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { bindAll } from './bindings.ts';
import { spread } from './context.ts';
import { itemsPerThread } from './strided.ts';
import { expandTemplate } from './template.ts';

/** i32 words of an instruction: its kind, then parameters, the rest 0. */
export const INSTRUCTION_WORDS = 8;

/** What an instruction does to a picture, with its parameters. A factor f is mantissa, shift: f = mantissa / 2^shift in f32. */
export const PICTURE_KINDS = {
  IDENTITY: 0,
  /** a0 .. a5 in 16.16: pixel (x, y) comes from (a2 + a1 y + a0 x, a5 + a4 y + a3 x). */
  AFFINE: 1,
  /** left, top, right, bottom of a grey rectangle, right and bottom not in it. */
  CUTOUT: 2,
  /** Factor of a blend with the grey picture. */
  COLOR: 3,
  /** Factor of a blend with the smoothed picture. */
  SHARPNESS: 4,
  /** First byte that is inverted. */
  SOLARIZE: 5,
  /** Mask of the bits that stay. */
  POSTERIZE: 6,
  INVERT: 7,
  /** Factor of a blend with black. */
  BRIGHTNESS: 8,
  /** Factor of a blend with the mean grey. */
  CONTRAST: 9,
  AUTO_CONTRAST: 10,
  EQUALIZE: 11,
} as const;

export type PictureKind = keyof typeof PICTURE_KINDS;

/** Grey that fills what an affine transform or a cutout leaves empty. */
export const PICTURE_FILL = 128;

/** u32 words of a picture [3, size, size] of bytes. */
export const pictureWords = (size: number): number => Math.ceil((3 * size * size) / 4);

/** One instruction of the programs i32 [pictures, slots, INSTRUCTION_WORDS]. */
interface Instructions {
  readonly programs: BufferRef;
  readonly slots: number;
  readonly slot: number;
}

/** What pictures become by an instruction: lookup tables are those that `pictureTables` made of it. */
export interface PictureStep extends Instructions {
  readonly tables: BufferRef;
}

const kinds = (...names: readonly PictureKind[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`${name}_`, String(PICTURE_KINDS[name])]));

/** Lookup tables u32 [pictures, 3, 256] of one instruction for every picture of `words`. */
export function pictureTables(
  geometry: AdapterProfile,
  words: BufferRef,
  { programs, slots, slot }: Instructions,
  tables: BufferRef,
  size: number,
): Dispatch {
  const stride = pictureWords(size);
  const pictures = words.length / stride;
  return {
    label: `picture tables [${pictures}, 3, 256]`,
    code: expandTemplate('picture_tables', tablesSource, {
      include: { picture },
      substitute: {
        INSTRUCTION_WORDS_: `${INSTRUCTION_WORDS}u`,
        ...kinds('SOLARIZE', 'POSTERIZE', 'INVERT', 'BRIGHTNESS', 'CONTRAST', 'AUTO_CONTRAST', 'EQUALIZE'),
      },
    }),
    params: {
      pictures: u32(pictures),
      size: u32(size),
      stride: u32(stride),
      slots: u32(slots),
      ...uniform({ slot: u32(slot) }),
    },
    operands: [
      { buffer: words, access: 'read' },
      { buffer: programs, access: 'read' },
      { buffer: tables, access: 'write' },
    ],
    workgroups: spread(geometry, pictures),
    flops: 0,
    bytes: bytesOf(words) + bytesOf(programs) / slots + bytesOf(tables),
  };
}

/** y: the pictures of `words` after one instruction, in words too. */
export function applyPictures(
  geometry: AdapterProfile,
  words: BufferRef,
  step: PictureStep,
  y: BufferRef,
  size: number,
): Dispatch {
  const { operands, substitute } = bindAll([{ buffer: words, access: 'read' }], {
    PROGRAMS: { buffer: step.programs, access: 'read' },
    TABLES: { buffer: step.tables, access: 'read' },
    Y: { buffer: y, access: 'write' },
  });
  const pictures = words.length / pictureWords(size);
  return {
    label: `pictures [${pictures}, 3, ${size}, ${size}]`,
    code: expandTemplate('picture_apply', applySource, {
      include: { elements, picture, nan },
      when: { PROGRAM: true, FRAMES: false, MIX: false, VECTOR: false },
      substitute: { ...substitute, ...PROGRAM_SUBSTITUTES, TYPE_: 'u32', ...items(geometry, y.length) },
    }),
    params: applyParams(size, y.length, step, 1, pictures),
    operands,
    workgroups: threads(geometry, y.length),
    flops: 0,
    bytes: bytesOf(words) + bytesOf(step.tables) + bytesOf(y),
  };
}

/** Mixing of rows: row b becomes ratio[b] of itself and the rest of row partner[b]. */
export interface RowMix {
  /** i32 [rows of y]. */
  readonly partner: BufferRef;
  /** f32 [rows of y]. */
  readonly ratio: BufferRef;
}

/**
 * y [rows, frames, 3, size, size] f32: the pictures of `words` [rows and partners, frames, stride] after one instruction or none,
 * normalized by `normal` [3, 256] and mixed.
 */
export function framesOf(
  geometry: AdapterProfile,
  words: BufferRef,
  step: PictureStep | null,
  normal: BufferRef,
  mix: RowMix | null,
  y: BufferRef,
  size: number,
  frames: number,
): Dispatch {
  const read = (buffer: BufferRef | undefined) =>
    buffer === undefined ? null : ({ buffer, access: 'read' } as const);
  const { operands, substitute } = bindAll([{ buffer: words, access: 'read' }], {
    PROGRAMS: read(step?.programs),
    TABLES: read(step?.tables),
    NORMAL: read(normal),
    PARTNER: read(mix?.partner),
    RATIO: read(mix?.ratio),
    Y: { buffer: y, access: 'write' },
  });
  const stride = pictureWords(size);
  const pictures = y.length / (3 * size * size);
  const vector = (3 * size * size) % 4 === 0;
  return {
    label: `frames [${pictures}, 3, ${size}, ${size}]${mix === null ? '' : ' mixed'}`,
    code: expandTemplate('picture_apply', applySource, {
      include: { elements, picture, nan },
      when: { PROGRAM: step !== null, FRAMES: true, MIX: mix !== null, VECTOR: vector },
      substitute: {
        ...substitute,
        ...PROGRAM_SUBSTITUTES,
        TYPE_: vector ? 'vec4f' : 'f32',
        ...items(geometry, pictures * stride),
      },
    }),
    params: applyParams(size, pictures * stride, step, frames, words.length / stride / frames),
    operands,
    workgroups: threads(geometry, pictures * stride),
    flops: y.length * (mix === null ? 0 : 3),
    bytes: bytesOf(words) + bytesOf(y),
  };
}

const PROGRAM_SUBSTITUTES = {
  INSTRUCTION_WORDS_: `${INSTRUCTION_WORDS}u`,
  FILL_: `${PICTURE_FILL}u`,
  ...kinds('IDENTITY', 'AFFINE', 'CUTOUT', 'COLOR', 'SHARPNESS'),
};

const applyParams = (
  size: number,
  count: number,
  step: PictureStep | null,
  frames: number,
  rows: number,
): Record<string, ParamValue> => ({
  count: u32(count),
  size: u32(size),
  stride: u32(pictureWords(size)),
  slots: u32(step?.slots ?? 0),
  ...uniform({ slot: u32(step?.slot ?? 0) }),
  frames: u32(frames),
  rows: u32(rows),
});

const items = (geometry: AdapterProfile, count: number): { ITEMS_: string } => ({
  ITEMS_: `${itemsPerThread(geometry, count)}u`,
});

const threads = (geometry: AdapterProfile, count: number): readonly [number, number, number] =>
  spread(geometry, Math.ceil(count / itemsPerThread(geometry, count) / 64));
