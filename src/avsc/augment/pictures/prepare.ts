// Packed pictures into the input of a video net, on the device: augmentation, normalization and mixing of rows.

import {
  applyPictures,
  framesOf,
  INSTRUCTION_WORDS,
  pictureTables,
  pictureWords,
  type PictureStep,
} from '../../../kernels/pictures.ts';
import { byteTable } from '../../../kernels/pixels.ts';
import { one } from '../../../kernels/tuple.ts';
import type { BufferRef } from '../../../gpu/dispatch.ts';
import { record, recordOne, type Op } from '../../../tensor/graph/op.ts';
import { RecordingDevice } from '../../../tensor/graph/recording_device.ts';
import { formatShape, type Shape } from '../../../tensor/graph/shape.ts';
import type { Tensor } from '../../../tensor/graph/tensor.ts';
import { checkTensors } from '../../../tensor/ops/operands.ts';
import type { PictureInput } from '../../features/pictures.ts';
import { checkMix, type RowMix } from '../features/mix.ts';
import { checkPictureSize } from './pack.ts';

/*
 * With programs of N instructions: N times the lookup tables, then the pictures after it. The last one writes normalized frames, mixed.
 */

interface SlotAttrs {
  readonly size: number;
  readonly slots: number;
  readonly slot: number;
}

/** Inputs words, programs. */
const tablesOp: Op<SlotAttrs> = {
  name: 'picture tables',
  lower({ geometry }, { inputs: [words, programs], outputs, attrs: { size, ...slot } }) {
    if (words === undefined || programs === undefined) throw new RangeError('picture tables need programs');
    return [pictureTables(geometry, words, { programs, ...slot }, one(outputs), size)];
  },
};

const stepOf = (
  programs: BufferRef | undefined,
  tables: BufferRef | undefined,
  { slots, slot }: SlotAttrs,
): PictureStep => {
  if (programs === undefined || tables === undefined) throw new RangeError('an instruction needs its tables');
  return { programs, tables, slots, slot };
};

/** Inputs words, programs, tables. */
const applyOp: Op<SlotAttrs> = {
  name: 'pictures',
  lower({ geometry }, { inputs: [words, programs, tables], outputs, attrs }) {
    if (words === undefined) throw new RangeError('pictures need words');
    return [applyPictures(geometry, words, stepOf(programs, tables, attrs), one(outputs), attrs.size)];
  },
};

interface FramesAttrs extends SlotAttrs {
  readonly frames: number;
  readonly mixed: boolean;
}

/** Inputs words, normal, then programs and tables if there are slots, then partner and ratio if mixed. */
const framesOp: Op<FramesAttrs> = {
  name: 'frames',
  lower({ geometry }, { inputs: [words, normal, ...rest], outputs, attrs }) {
    const { size, slots, frames, mixed } = attrs;
    if (words === undefined || normal === undefined) throw new RangeError('frames need words and a table');
    const step = slots > 0 ? stepOf(rest[0], rest[1], attrs) : null;
    const [partner, ratio] = rest.slice(slots > 0 ? 2 : 0);
    const mix = mixed && partner !== undefined && ratio !== undefined ? { partner, ratio } : null;
    return [framesOf(geometry, words, step, normal, mix, one(outputs), size, frames)];
  },
};

/** Size and normalization of a net's pictures. */
type FrameInput = Pick<PictureInput, 'size' | 'mean' | 'std'>;

/**
 * Frames f32 [B, F, 3, size, size] of a batch: (x / 255 - mean) / std, the bits of `normalisePictures`. `words` are u32 [R, F,
 * pictureWords(size)] of `packPictures`; `programs` i32 [R, F, N, INSTRUCTION_WORDS] of `drawProgram`, or null; B is the number of
 * partners, or R without mixing. Each row is augmented by itself, then mixed; rows from B on are partners only. Nothing flows back.
 * Throws a RangeError that names the shapes where they do not fit, a TypeError for other types.
 */
export function prepareFrames(
  words: Tensor,
  programs: Tensor | null,
  mix: RowMix | null,
  { size, mean, std }: FrameInput,
): Tensor {
  checkTensors('prepareFrames', { words, programs });
  checkPictureSize(size);
  const [rows, frames] = checkWords(words, size);
  const slots = programs === null ? 0 : checkPrograms(programs, rows, frames);
  const count = mix === null ? rows : checkMix('prepareFrames', mix, words.recorder, rows);
  let pictures = words;
  let last: readonly Tensor[] = [];
  for (let slot = 0; programs !== null && slot < slots; slot++) {
    const attrs = { size, slots, slot };
    const tables = recordOne(tablesOp, [pictures, programs], tablesOf(rows * frames), attrs);
    if (slot === slots - 1) last = [programs, tables];
    else
      pictures = recordOne(
        applyOp,
        [pictures, programs, tables],
        { shape: words.shape, dtype: 'u32' },
        attrs,
      );
  }
  const normal = normalTable(words, mean, std);
  const mixing = mix === null ? [] : [mix.partner, mix.ratio];
  const attrs = { size, slots, slot: slots - 1, frames, mixed: mix !== null };
  return one(
    record(
      framesOp,
      [pictures, normal, ...last, ...mixing],
      [{ shape: [count, frames, 3, size, size] }],
      attrs,
    ),
  );
}

const tablesOf = (pictures: number): { shape: Shape; dtype: 'u32' } => ({
  shape: [pictures, 3, 256],
  dtype: 'u32',
});

function checkWords({ dtype, shape }: Tensor, size: number): readonly [rows: number, frames: number] {
  const [rows = 0, frames = 0, words] = shape;
  if (dtype !== 'u32' || shape.length !== 3 || words !== pictureWords(size)) {
    throw new RangeError(
      `prepareFrames takes words of u32 [rows, frames, ${pictureWords(size)}] for pictures of ${size}, got ${dtype} ${formatShape(shape)}`,
    );
  }
  return [rows, frames];
}

/** Gives the instructions of a program. */
function checkPrograms({ dtype, shape }: Tensor, rows: number, frames: number): number {
  const [r, f, slots = 0, words] = shape;
  if (dtype !== 'i32' || shape.length !== 4 || r !== rows || f !== frames || words !== INSTRUCTION_WORDS) {
    throw new RangeError(
      `prepareFrames takes programs of i32 [${rows}, ${frames}, instructions, ${INSTRUCTION_WORDS}], got ${dtype} ${formatShape(shape)}`,
    );
  }
  return slots;
}

type Channels = readonly [number, number, number];

/** Tables of normalized bytes on each device, by mean and std. They live as long as the device. */
const normalTables = new WeakMap<RecordingDevice, Map<string, Tensor>>();

/** f32 [3, 256]. */
function normalTable({ recorder }: Tensor, mean: Channels, std: Channels): Tensor {
  if (!(recorder instanceof RecordingDevice)) throw new TypeError('prepareFrames takes tensors of a device');
  const known = normalTables.get(recorder) ?? new Map<string, Tensor>();
  normalTables.set(recorder, known);
  const key = [...mean, ...std].join();
  const made =
    known.get(key) ??
    recorder.createTensor(
      [3, 256],
      () => {
        const values = new Float32Array(3 * 256);
        mean.forEach((m, channel) => {
          values.set(byteTable(m, std[channel] ?? 1), channel * 256);
        });
        return values;
      },
      { role: 'tensor' },
    );
  known.set(key, made);
  return made;
}
