import source from '../../shaders/feature_augment.wgsl';
import elements from '../../shaders/lib_elements.wgsl';
import nan from '../../shaders/lib_nan.wgsl';
import { bytesOf, u32, type BufferRef, type Dispatch } from '../gpu/dispatch.ts';
import type { AdapterProfile } from '../gpu/profile.ts';
import { bindAll } from './bindings.ts';
import { spread } from './context.ts';
import type { RowMix } from './pictures.ts';
import { itemsPerThread } from './strided.ts';
import { expandTemplate } from './template.ts';

/** i32 of one row and channel: the channel to read, first masked mel and its end, first masked time and its end. */
export const FEATURE_WORDS = 5;

export interface FeatureShape {
  /** Rows of x, partners included. */
  readonly rows: number;
  readonly channels: number;
  readonly mels: number;
  readonly times: number;
}

/** y: the features x with channels confused, mels and times masked, and rows mixed; see the shader. */
export function augmentFeatures(
  geometry: AdapterProfile,
  x: BufferRef,
  table: BufferRef,
  mix: RowMix | null,
  y: BufferRef,
  { rows, channels, mels, times }: FeatureShape,
): Dispatch {
  const read = (buffer: BufferRef) => ({ buffer, access: 'read' }) as const;
  const { operands, substitute } = bindAll([read(x), read(table)], {
    PARTNER: mix && read(mix.partner),
    RATIO: mix && read(mix.ratio),
    Y: { buffer: y, access: 'write' },
  });
  const count = y.length;
  const items = itemsPerThread(geometry, count);
  return {
    label: `augment features [${count / (channels * mels * times)}, ${channels}, ${mels}, ${times}]`,
    code: expandTemplate('feature_augment', source, {
      include: { elements, nan },
      when: { MIX: mix !== null },
      substitute: { ...substitute, ITEMS_: `${items}u` },
    }),
    params: {
      count: u32(count),
      rows: u32(rows),
      channels: u32(channels),
      mels: u32(mels),
      times: u32(times),
    },
    operands,
    workgroups: spread(geometry, Math.ceil(count / items / 64)),
    flops: mix === null ? 0 : 3 * count,
    bytes: bytesOf(x) + bytesOf(y),
  };
}
