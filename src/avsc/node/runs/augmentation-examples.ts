// What each augmentation of a run does to one clip, before and after.

import { drawFeatureRow } from '../../augment/features/policy.ts';
import { augmentRow } from '../../augment/features/host.ts';
import { perturbBytes } from '../../augment/pictures/perturb.ts';
import { operationProgram } from '../../augment/pictures/policy.ts';
import { pictureOperation } from '../../augment/pictures/registry.ts';
import { makeExtraSound } from '../../augment/sound/extras.ts';
import { SOUND_OPERATIONS, type SoundOperationName } from '../../augment/sound/index.ts';
import { SAMPLE_RATE, type Stereo } from '../../audio/clip.ts';
import { randomStream } from '../../dataset/random.ts';
import { SOUND_INPUTS } from '../../features/inputs.ts';
import { LogMelExtractor } from '../../features/logmel.ts';
import type { Augmentation } from '../../experiment/augmentation.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import { inputNames } from '../../training/model.ts';
import type { PreparedClip } from '../data/prepare.ts';
import type { RunReport } from '../report/data.ts';
import { picturePng } from '../report/pictures.ts';
import { floats, spectrogramOf } from './examples.ts';
import { readInput } from './sample-input.ts';

type Shown = RunReport['augmentations'][number];

/** Each augmentation that a stage of the run uses, on the first second of the first clip. */
export async function showAugmentations(recipe: Recipe, clips: readonly PreparedClip[]): Promise<Shown[]> {
  const [clip] = clips;
  if (clip === undefined) return [];
  const used = recipe.stages.map(({ augmentation }) => augmentation);
  const inputs = inputNames(recipe);
  const shown: Shown[] = [];
  const pictures = used.find((augmentation) => augmentation.pictures !== null)?.pictures;
  if (pictures && inputs.includes('frames')) shown.push(...(await showPictures(recipe, clip, pictures)));
  if (!inputs.includes('logmel')) return shown;
  const features = used.find((augmentation) => augmentation.features !== null)?.features;
  if (features) shown.push(await showFeatures(recipe, clip, features));
  const copies = used.find(({ extraClips }) => extraClips !== null)?.extraClips;
  if (copies) shown.push(...(await showSounds(recipe, clip, Object.keys(copies) as SoundOperationName[])));
  return shown;
}

async function showPictures(
  { imageSize: size, seed }: Recipe,
  clip: PreparedClip,
  { operations, magnitude, scale }: NonNullable<Augmentation['pictures']>,
): Promise<Shown[]> {
  const bytes = (await readInput(clip, 'frames', 0, size)).subarray(0, 3 * size * size);
  const before = [await picturePng(bytes, size)];
  return Promise.all(
    operations.map(async (name) => {
      const program = operationProgram(name, magnitude, scale, size, randomStream(seed, 'report', name));
      const after = [await picturePng(perturbBytes(bytes, program, size), size)];
      return { name, what: `${pictureOperation(name).meaning[scale]}; M = ${magnitude}`, before, after };
    }),
  );
}

async function showFeatures(
  { imageSize, seed }: Recipe,
  clip: PreparedClip,
  policy: NonNullable<Augmentation['features']>,
): Promise<Shown> {
  const features = floats(await readInput(clip, 'logmel', 0, imageSize));
  const row = drawFeatureRow(policy, SOUND_INPUTS.logmel, randomStream(seed, 'report', 'features'));
  return {
    name: 'SpecAugment and channel confusion',
    what: 'one band of mels and one span of frames set to 0, channels swapped half of the time; the left channel is shown',
    before: [await spectrogramOf(features)],
    after: [await spectrogramOf(augmentRow(features, row, SOUND_INPUTS.logmel))],
  };
}

async function showSounds(
  { imageSize, seed }: Recipe,
  clip: PreparedClip,
  names: readonly SoundOperationName[],
): Promise<Shown[]> {
  const samples = floats(await readInput(clip, 'waveform', 0, imageSize));
  const sound: Stereo = [samples.subarray(0, SAMPLE_RATE), samples.subarray(SAMPLE_RATE)];
  const extractor = new LogMelExtractor();
  const draw = (from: Stereo): Promise<string> => spectrogramOf(extractor.extract(from).data.slice());
  const before = [await draw(sound)];
  const shown: Shown[] = [];
  for (const op of names) {
    const made = makeExtraSound({ op, sound, random: randomStream(seed, 'report', op) });
    const { title, parameters } = SOUND_OPERATIONS[op];
    const values = made.value.map((value, i) => `${value.toFixed(2)} (${parameters[i]?.meaning ?? ''})`);
    shown.push({ name: op, what: [title, ...values].join('; '), before, after: [await draw(made.sound)] });
  }
  return shown;
}
