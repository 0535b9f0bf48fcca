import { extname, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { MAX_MAGNITUDE, NO_MAGNITUDE, type MagnitudeScale } from '../avsc/augment/pictures/operation.ts';
import { PICTURE_OPERATIONS } from '../avsc/augment/pictures/registry.ts';
import { checkValue } from '../avsc/augment/sound/extras.ts';
import {
  SOUND_OPERATION_NAMES,
  SOUND_OPERATIONS,
  type SoundOperationName,
} from '../avsc/augment/sound/index.ts';
import type { SoundOperation } from '../avsc/augment/sound/operation.ts';
import { checkAddressSpace } from '../node/address-space.ts';
import { checkFile, messageOf, writeFileAtomic } from '../node/files.ts';
import { UsageError, whole } from './options.ts';
import { print } from './output.ts';
import { formatTable } from './table.ts';

const PAPER_MAGNITUDE = 9;
const PAPER_MASK = 0.1;
const SCALES: readonly MagnitudeScale[] = ['original', 'torchvision'];

interface AugmentOptions {
  readonly op?: string;
  readonly magnitude?: number;
  readonly value?: readonly number[];
  readonly scale?: MagnitudeScale;
  readonly seed: number;
  readonly with?: string;
  readonly out?: string;
  readonly list?: true;
}

/** `augment FILE --op NAME --out FILE`: one operation of augmentation on one file. */
export function augmentCommand(): Command {
  return new Command('augment')
    .description('one operation of augmentation on a picture or a recording, to see or hear what it does')
    .argument('[file]', 'a picture (JPEG, PNG, ...) or any file with sound (required, but for --list)')
    .option('--op <name>', 'the operation: see --list (required, but for --list)')
    .option('--magnitude <m>', `of operations on pictures: 0 to ${MAX_MAGNITUDE} (default: 9)`, magnitude)
    .addOption(
      new Option(
        '--scale <name>',
        "what a magnitude means: RandAugment's own scale, or torchvision's (default: original)",
      ).choices([...SCALES]),
    )
    .option(
      '--value <numbers>',
      'of operations on recordings (default: drawn by --seed); the two gains of mix are 0.7,0.9',
      numbers,
    )
    .option('--seed <n>', 'decides what is drawn: values, signs, places, noise', whole(0, 2 ** 32 - 1), 1)
    .option('--with <file>', 'the recording that mix adds')
    .option(
      '--out <file>',
      'the result: .png of a picture or of features, .wav of a recording (required, but for --list)',
    )
    .option('--list', 'name all operations and what their magnitude or value means')
    .action(augment);
}

async function augment(file: string | undefined, options: AugmentOptions): Promise<void> {
  if (options.list) {
    if (file !== undefined || options.op !== undefined) {
      throw new UsageError('--list names the operations and does nothing else: leave it out');
    }
    await print(listOperations());
    return;
  }
  if (file === undefined) throw new UsageError('name a picture or a recording');
  if (options.op === undefined)
    throw new UsageError(`name an operation by --op: ${operationNames().join(', ')}`);
  if (options.out === undefined) throw new UsageError('name the file of the result by --out');
  if (resolve(options.out) === resolve(file)) throw new UsageError(`--out ${options.out} is the file itself`);
  for (const path of [file, options.with]) if (path !== undefined) await checkFile(path);
  // The modules that decode are loaded where they are used, below.
  checkAddressSpace('decoder');
  const asked = options.op.toLowerCase();
  const picture = PICTURE_OPERATIONS.find(({ name }) => name.toLowerCase() === asked);
  const sound = SOUND_OPERATION_NAMES.find((name) => name === asked);
  if (picture !== undefined) await onPicture(file, picture, options, options.out);
  else if (sound !== undefined) await onRecording(file, sound, options, options.out);
  else if (asked === 'specaugment') await onFeatures(file, options, options.out);
  else throw new UsageError(`there is no operation ${options.op}: there are ${operationNames().join(', ')}`);
}

async function onPicture(
  file: string,
  { name, meaning }: (typeof PICTURE_OPERATIONS)[number],
  options: AugmentOptions,
  out: string,
): Promise<void> {
  const scale = options.scale ?? 'original';
  if (options.value !== undefined) throw new UsageError(`${name} takes --magnitude, not --value`);
  refuseWith(name, options);
  if (!takesMagnitude(meaning)) {
    for (const option of ['magnitude', 'scale'] as const)
      if (options[option] !== undefined)
        throw new UsageError(`${name} takes no magnitude: leave --${option} out`);
  }
  checkEnding(out, '.png', `${name} makes a picture`);
  const m = options.magnitude ?? PAPER_MAGNITUDE;
  const work = import('../avsc/node/data/augment-file.ts').then(({ augmentPicture }) =>
    augmentPicture(file, name, { magnitude: m, scale, seed: options.seed }),
  );
  const result = await work.catch(async (error: unknown) => {
    if (await succeeds(import('../avsc/node/data/read-media.ts').then(({ readSound }) => readSound(file))))
      throw new UsageError(`${name} changes pictures, and ${file} is a recording`);
    throw error;
  });
  await writeFileAtomic(out, result.png);
  const how = takesMagnitude(meaning) ? ` --magnitude ${m} --scale ${scale} (${meaning[scale]})` : '';
  await print(`${out}: ${file} after ${name}${how}, ${result.width} x ${result.height} pixels`);
}

async function onRecording(
  file: string,
  name: SoundOperationName,
  options: AugmentOptions,
  out: string,
): Promise<void> {
  const { takesPartner }: SoundOperation = SOUND_OPERATIONS[name];
  refuseMagnitude(name, options);
  if (takesPartner && options.with === undefined)
    throw new UsageError(`${name} adds another recording: name it by --with`);
  if (!takesPartner) refuseWith(name, options);
  if (options.value !== undefined) checkUsage(() => checkValue(name, options.value ?? []));
  checkEnding(out, '.wav', `${name} makes a recording`);
  const { value, seed, with: partner } = options;
  const work = import('../avsc/node/data/augment-file.ts').then(({ augmentRecording }) =>
    augmentRecording(file, name, { value, seed, partner }),
  );
  const result = await work.catch((error: unknown) => explain(error, name, [file, partner]));
  await writeFileAtomic(out, result.wav);
  const used = result.value.map((x) => Number(x.toPrecision(6))).join(',');
  const clipped = result.clipped > 0 ? `, ${result.clipped} samples clipped at full scale` : '';
  const length = `${result.seconds.toFixed(2)} s at ${result.sampleRate} Hz`;
  await print(`${out}: ${file} after ${name} --value ${used}, ${length}${clipped}`);
}

async function onFeatures(file: string, options: AugmentOptions, out: string): Promise<void> {
  const name = 'specaugment';
  refuseMagnitude(name, options);
  refuseWith(name, options);
  const [mask = PAPER_MASK, ...more] = options.value ?? [];
  if (more.length > 0) throw new UsageError(`${name} takes 1 number, got ${more.length + 1}`);
  if (!(mask >= 0 && mask <= 1))
    throw new UsageError(`${name} by ${mask} is out of range: it takes 0 to 1 (${MASK_MEANING})`);
  checkEnding(out, '.png', `${name} makes a picture of features`);
  const work = import('../avsc/node/data/augment-file.ts').then(({ pictureOfMasks }) =>
    pictureOfMasks(file, { mask, seed: options.seed }),
  );
  const result = await work.catch((error: unknown) => explain(error, name, [file]));
  await writeFileAtomic(out, result.png);
  await print(
    `${out}: features of ${file} after ${name} --value ${mask}, ${result.width} x ${result.height} pixels: ` +
      'left and right beside each other; features, deltas, delta-deltas below each other',
  );
}

const MASK_MEANING = 'largest share of the mels and of the frames of a second';

const takesMagnitude = (meaning: Readonly<Record<MagnitudeScale, string>>): boolean =>
  meaning !== NO_MAGNITUDE;

function refuseMagnitude(name: string, options: AugmentOptions): void {
  if (options.magnitude !== undefined) throw new UsageError(`${name} takes --value, not --magnitude`);
  if (options.scale !== undefined) throw new UsageError(`${name} takes no magnitude: leave --scale out`);
}

function refuseWith(name: string, options: AugmentOptions): void {
  if (options.with !== undefined)
    throw new UsageError(`${name} takes one file: only mix adds another by --with`);
}

function checkEnding(out: string, ending: string, because: string): void {
  if (extname(out).toLowerCase() !== ending)
    throw new UsageError(`--out ${out} must end in ${ending}: ${because}`);
}

/** An error of range is wrong usage. */
function checkUsage(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error });
  }
}

/** Says that a file is a picture if that is why it could not be read as a recording. */
async function explain(error: unknown, name: string, files: readonly (string | undefined)[]): Promise<never> {
  for (const file of files) {
    if (
      file !== undefined &&
      (await succeeds(import('../avsc/node/data/image.ts').then(({ readPixels }) => readPixels(file))))
    )
      throw new UsageError(`${name} changes recordings, and ${file} is a picture`);
  }
  throw error;
}

const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

function operationNames(): string[] {
  return [...PICTURE_OPERATIONS.map(({ name }) => name), ...SOUND_OPERATION_NAMES, 'specaugment'];
}

function listOperations(): string {
  const pictures = PICTURE_OPERATIONS.map(({ name, meaning }) =>
    takesMagnitude(meaning)
      ? [`  ${name}`, meaning.original, meaning.torchvision]
      : [`  ${name}`, meaning.original],
  );
  const recordings = SOUND_OPERATION_NAMES.flatMap((name) => {
    const { title, parameters }: SoundOperation = SOUND_OPERATIONS[name];
    return parameters.map(({ meaning, drawn, allowed }, i) => [
      i === 0 ? `  ${name}` : '',
      meaning,
      range(allowed),
      drawn[0] === drawn[1] ? `${drawn[0]}` : `drawn from ${range(drawn)}`,
      i === 0 ? title : '',
    ]);
  });
  const features = [
    '  specaugment',
    MASK_MEANING,
    '0 to 1',
    `${PAPER_MASK}`,
    'masks a band of mels and a span of frames',
  ];
  return [
    `On pictures, by --magnitude M of 0 to ${MAX_MAGNITUDE} (default ${PAPER_MAGNITUDE}):`,
    formatTable([['  ', '--scale original', '--scale torchvision'], ...pictures], []),
    '',
    'On recordings, by --value:',
    formatTable([['  ', 'value', 'range', 'default', ''], ...recordings, features], []),
  ].join('\n');
}

const range = ([low, high]: readonly [number, number]): string => `${low} to ${high}`;

function magnitude(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= MAX_MAGNITUDE) return value;
  throw new InvalidArgumentError(`It must be a number from 0 to ${MAX_MAGNITUDE}.`);
}

function numbers(text: string): number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new InvalidArgumentError('It must be a number, or numbers with commas between them.');
}
