import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { withCheckpoint } from '../avsc/node/weights/checkpoint-file.ts';
import { decodeImage } from '../avsc/node/data/image.ts';
import { exists } from '../avsc/node/runs/folder.ts';
import type { Architecture, ArchitectureName } from '../avsc/weights/architecture.ts';
import { findArchitecture } from '../avsc/weights/architectures.ts';
import { pictureClassifier } from '../avsc/weights/classify.ts';
import { importWeights, readStateDict } from '../avsc/weights/import.ts';
import { parseCategories } from '../avsc/weights/places365.ts';
import type { CheckpointFile } from '../nn/checkpoint/checkpoint.ts';
import type { StateDict } from '../nn/state.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkFile, messageOf, readSmallFile } from '../node/files.ts';
import { openDevice } from './device.ts';
import { eachFile } from './each-file.ts';
import { deviceOption, UsageError, whole } from './options.ts';
import { print } from './output.ts';
import { say } from './say.ts';
import { archOption, companionsOf, meanOption } from './weights.ts';

/** The file in which the authors of Places365 publish the names of its classes. */
const CATEGORIES = 'categories_places365.txt';
const PLACES = 365;
/** Upper bound on a list of names. */
const MAX_BYTES = 1_000_000;

interface ClassifyOptions {
  readonly arch?: ArchitectureName;
  readonly weights: string;
  readonly names?: string;
  readonly mean?: string;
  readonly top: number;
  readonly device: AdapterChoice;
  readonly json?: true;
}

/** `classify IMAGE...`: the most likely classes of pictures. */
export function classifyCommand(): Command {
  return new Command('classify')
    .description('the most likely classes of pictures, by published weights such as those of Places365')
    .argument('<images...>', 'JPEG, PNG, WebP, ...')
    .requiredOption('--weights <path>', 'a checkpoint of any format, or a file written by import')
    .addOption(archOption().default(undefined, 'the net that import noted in the weights'))
    .addOption(
      new Option(
        '--names <path>',
        `names of the classes, one per line (default: ${CATEGORIES} beside the weights)`,
      ),
    )
    .addOption(meanOption())
    .option('--top <n>', 'number of classes per picture', whole(1), 5)
    .addOption(deviceOption())
    .option('--json', 'print one line of JSON per picture')
    .action(classify);
}

async function classify(images: string[], options: ClassifyOptions): Promise<void> {
  const { architecture, classes, state } = await withCheckpoint(options.weights, (file) =>
    readClassifier(file, options),
  );
  const { input } = architecture;
  if (input.kind !== 'picture')
    throw new UsageError(`${architecture.name} takes sound, not pictures: see predict`);
  const names = await classNames(options, classes);
  const { size } = input;
  const device = await openDevice(options.device);
  const classifier = pictureClassifier(device, architecture, state);
  try {
    await eachFile(images, async (image) => {
      await checkFile(image);
      const probabilities = await classifier.classify(await decodeImage(image, { size }));
      await print(format(image, likeliest(probabilities, options.top), names, options.json ?? false));
    });
  } finally {
    classifier.dispose();
  }
}

interface Likely {
  readonly index: number;
  readonly probability: number;
}

function format(
  file: string,
  likely: readonly Likely[],
  names: readonly string[] | undefined,
  json: boolean,
): string {
  if (!json) {
    const line = ({ index, probability }: Likely): string =>
      `  ${probability.toFixed(4)}  ${names?.[index] ?? `class ${index}`}`;
    return [file, ...likely.map(line)].join('\n');
  }
  const top = likely.map(({ index, probability }) => ({
    class: index,
    ...(names === undefined ? {} : { name: names[index] }),
    probability: Number(probability.toFixed(6)),
  }));
  return JSON.stringify({ file, top });
}

interface Classifier {
  readonly architecture: Architecture;
  readonly classes: number;
  readonly state: StateDict;
}

async function readClassifier(
  file: CheckpointFile,
  { arch, weights, mean }: ClassifyOptions,
): Promise<Classifier> {
  const noted = file.metadata.get('architecture');
  const name = arch ?? noted;
  if (name === undefined)
    throw new UsageError(`${weights} does not say of which net it is: name it by --arch`);
  const architecture = findArchitecture(name);
  const companions = await companionsOf(architecture, weights, mean);
  // The number of classes is that of the head in the file.
  const head = architecture.adapt(file, companions).get(architecture.head[0] ?? '');
  const classes = head?.shape[0] ?? architecture.classes;
  const { tensors } = importWeights(file, architecture, { classes, companions });
  return { architecture, classes, state: await readStateDict(tensors) };
}

/** Names of the classes; undefined, with a note to the user, if there is no list of them. */
async function classNames(
  { names, weights }: ClassifyOptions,
  classes: number,
): Promise<string[] | undefined> {
  const beside = join(dirname(weights), CATEGORIES);
  const path = names ?? (classes === PLACES && (await exists(beside)) ? beside : undefined);
  if (path === undefined) {
    const hint =
      classes === PLACES ? ` (fetch-weights categories_places365, and put it beside the weights)` : '';
    say(`classes are numbered, since there is no list of their names: give one by --names${hint}`);
    return undefined;
  }
  const list = await readNames(path);
  if (list.length === classes) return list;
  throw new Error(`${path} names ${list.length} classes, the net has ${classes}`);
}

/** Reads a list of names in the format of Places365 or with one name per line. */
async function readNames(path: string): Promise<string[]> {
  const text = (await readSmallFile(path, MAX_BYTES)).toString();
  if (!/^\/\w\//.test(text)) return text.split(/\r?\n/).filter((line) => line.trim() !== '');
  try {
    return parseCategories(text);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

const likeliest = (probabilities: Float32Array, count: number): Likely[] =>
  Array.from(probabilities, (probability, index) => ({ index, probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
