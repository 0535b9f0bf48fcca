// The augmentation of one stage, and its reader.

import { SOUND_INPUTS } from '../features/inputs.ts';
import { PICTURE_OPERATIONS } from '../augment/pictures/registry.ts';
import type { PicturePolicy } from '../augment/pictures/policy.ts';
import type { FeaturePolicy } from '../augment/features/policy.ts';
import type { RatioPolicy } from '../augment/features/mix.ts';
import { SOUND_OPERATIONS, type SoundOperationName } from '../augment/sound/index.ts';
import type { Architecture } from '../weights/architecture.ts';
import { list, number, object, oneOf, optional, withDefault, within, type Reader } from './fields.ts';

/** Mixes samples with others of the split: inputs or embeddings, and the labels, of the same pair by the same ratio. */
export interface Mixup {
  /** Share of the samples that are mixed, 0..1. */
  readonly share: number;
  /** Share of a mixed sample itself: Beta(alpha, alpha), or fixed. */
  readonly ratio: RatioPolicy;
  readonly on: 'inputs' | 'embeddings';
}

export interface Augmentation {
  /** Copies of each training clip that are made beside it, by the operation on their sound; null for none. */
  readonly extraClips: Readonly<Partial<Record<SoundOperationName, number>>> | null;
  /** SpecAugment and channel confusion of log-mel features. */
  readonly features: FeaturePolicy | null;
  /** RandAugment of pictures. */
  readonly pictures: PicturePolicy | null;
  readonly mixup: Mixup | null;
}

const NO_AUGMENTATION: Augmentation = { extraClips: null, features: null, pictures: null, mixup: null };

const share = number({ min: 0, max: 1 });

export const readAugmentation: Reader<Augmentation> = (value, name) => {
  if (value === undefined || value === null) return NO_AUGMENTATION;
  const fields = object(value, name, ['extraClips', 'specAugment', 'channelConfusion', 'pictures', 'mixup']);
  const mask = optional(share)(fields['specAugment'], within(name, 'specAugment'));
  const channelConfusion = withDefault(share, 0)(
    fields['channelConfusion'],
    within(name, 'channelConfusion'),
  );
  return {
    extraClips: optional(readExtraClips)(fields['extraClips'], within(name, 'extraClips')),
    features:
      mask === null && channelConfusion === 0
        ? null
        : { specAugment: mask === null ? null : { mask }, channelConfusion },
    pictures: optional(readPictures)(fields['pictures'], within(name, 'pictures')),
    mixup: optional(readMixup)(fields['mixup'], within(name, 'mixup')),
  };
};

const SOUND_NAMES = Object.keys(SOUND_OPERATIONS) as readonly SoundOperationName[];

const readExtraClips: Reader<NonNullable<Augmentation['extraClips']>> = (value, name) => {
  const copies = object(value, name, SOUND_NAMES);
  const count = number({ min: 0, max: 100, integer: true });
  return Object.fromEntries(
    SOUND_NAMES.filter((op) => copies[op] !== undefined).map((op) => [
      op,
      count(copies[op], within(name, op)),
    ]),
  );
};

const PICTURE_NAMES = PICTURE_OPERATIONS.map(({ name }) => name);

const readPictures: Reader<PicturePolicy> = (value, name) => {
  const fields = object(value, name, ['operations', 'count', 'magnitude', 'probability', 'scale']);
  const operations = list(oneOf(PICTURE_NAMES))(fields['operations'], within(name, 'operations'));
  if (operations.length === 0)
    throw new Error(`${within(name, 'operations')} is empty, it names at least one operation`);
  return {
    operations,
    count: number({ min: 1, max: 8, integer: true })(fields['count'], within(name, 'count')),
    magnitude: number({ min: 0, max: 10 })(fields['magnitude'], within(name, 'magnitude')),
    probability: withDefault(share, 1)(fields['probability'], within(name, 'probability')),
    scale: withDefault(oneOf(['original', 'torchvision']), 'original')(
      fields['scale'],
      within(name, 'scale'),
    ),
  };
};

const readMixup: Reader<Mixup> = (value, name) => {
  const fields = object(value, name, ['share', 'alpha', 'ratio', 'on']);
  const alpha = optional(number({ min: 0, above: true, max: 100 }))(fields['alpha'], within(name, 'alpha'));
  const fixed = optional(share)(fields['ratio'], within(name, 'ratio'));
  if ((alpha === null) === (fixed === null))
    throw new Error(`${name} takes either alpha, for a ratio of Beta(alpha, alpha), or a fixed ratio`);
  return {
    share: number({ min: 0, above: true, max: 1 })(fields['share'], within(name, 'share')),
    ratio: alpha !== null ? { alpha } : { fixed: fixed as number },
    on: withDefault(oneOf(['inputs', 'embeddings']), 'inputs')(fields['on'], within(name, 'on')),
  };
};

/** Throws an Error that names the field if the augmentation is of an input that the stage's nets do not take. */
export function checkAugmentation(
  { extraClips, features, pictures }: Augmentation,
  name: string,
  inputs: readonly Architecture['input'][],
): void {
  const sounds = inputs.flatMap((input) => (input.kind === 'sound' ? [input.input] : []));
  const lacks = (field: string, what: string): Error =>
    new Error(`${within(name, field)} is given, but no net of the stage takes ${what}`);
  if (extraClips !== null && sounds.length === 0) throw lacks('extraClips', 'sound');
  if (pictures !== null && sounds.length === inputs.length) throw lacks('pictures', 'pictures');
  if (features === null || sounds.includes('logmel')) return;
  const other =
    sounds.length === 0
      ? ''
      : `, but ${sounds.map((sound) => `${sound} ${JSON.stringify(SOUND_INPUTS[sound])}`).join()}`;
  throw lacks(features.specAugment === null ? 'channelConfusion' : 'specAugment', `log-mel features${other}`);
}
