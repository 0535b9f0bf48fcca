import type { CheckpointFile } from '../../nn/checkpoint/checkpoint.ts';
import type { Layer } from '../../nn/module.ts';
import { formatValue } from '../../tensor/graph/wording.ts';
import type { SoundInputName } from '../features/inputs.ts';
import type { PictureInput } from '../features/pictures.ts';
import type { Extractor } from '../models/extractor.ts';
import type { Modality } from '../models/joint.ts';
import type { NamedTensors } from './names.ts';

/** Nets that can be extractors, by name. */
export const ARCHITECTURE_NAMES = [
  'densenet161',
  'resnet18',
  'resnet50',
  'resnest50',
  'squeezenet1_1',
  'fcnn',
  'fcnn_small',
  'densenet',
  'resnet50_bottom',
  'openl3_image',
  'resnet50_audio',
  'cnn1d',
  'openl3_audio',
] as const;

export type ArchitectureName = (typeof ARCHITECTURE_NAMES)[number];

/** Input made of sound, by its name, which also gives its shape (`SOUND_INPUTS`). */
export interface SoundInput {
  readonly kind: 'sound';
  readonly input: SoundInputName;
}

export interface Architecture {
  readonly name: ArchitectureName;
  readonly input: PictureInput | SoundInput;
  /** Classes of the published weights; those of the scenes if there are none. */
  readonly classes: number;
  /** From inputs [N, ...] to logits [N, classes]. Throws as `checkOptions` does. */
  createClassifier(classes: number, options?: unknown): Layer;
  /**
   * From inputs [N, ...] to embeddings. Its parameter names are the classifier's without those of the head. Throws as
   * `checkOptions` does.
   */
  createExtractor(options?: unknown): Extractor;
  /**
   * The options of the net's sizes, as read from JSON; undefined stands for the net as published. `where` begins the message of
   * the TypeError or RangeError for other options: most nets have none.
   */
  checkOptions(options: unknown, where?: string): void;
  /** Parameter names of the last layer, whose shapes depend on the number of classes; empty if the net has none. */
  readonly head: readonly string[];
  /** Names of tensors of the published weights that this net leaves out. */
  readonly leftOut?: RegExp;
  /**
   * The file's tensors under this net's names and in its layout (transposed, flipped, reordered when they are read).
   * Unknown names stay as they are, so that the report lists them. Throws an Error of one sentence if the file is
   * obviously of another kind of net, or if a companion is missing.
   */
  adapt(file: CheckpointFile, companions: NamedTensors): NamedTensors;
  /** Files that must lie beside the published weights: the SqueezeNet's mean image. Empty for most. */
  readonly companions: readonly string[];
}

/** The modality of an architecture's input. */
export const modalityOf = ({ input }: Pick<Architecture, 'input'>): Modality =>
  input.kind === 'sound' ? 'audio' : 'video';

/** The sizes of an architecture, beside what it does not depend on them. */
interface Sizes<Config> {
  /** Sizes as published. */
  readonly config: Config;
  /** Reads sizes from JSON; throws a TypeError or a RangeError that begins with `where`. Absent if the sizes are fixed. */
  readonly read?: (options: unknown, where: string) => Config;
  readonly classifier: (config: Config, classes: number) => Layer;
  readonly extractor: (config: Config) => Extractor;
}

type Rest = Omit<Architecture, 'createClassifier' | 'createExtractor' | 'checkOptions' | 'companions'> &
  Partial<Pick<Architecture, 'companions'>>;

/** An architecture of a net with sizes. */
export function architecture<Config>({
  config,
  read,
  classifier,
  extractor,
  ...rest
}: Sizes<Config> & Rest): Architecture {
  const { name } = rest;
  const configOf = (options: unknown, where = name as string): Config => {
    if (options === undefined) return config;
    if (read) return read(options, where);
    throw new TypeError(`${where}: ${name} has no options, got ${formatValue(options)}`);
  };
  return {
    companions: [],
    ...rest,
    createClassifier: (classes, options) => classifier(configOf(options), classes),
    createExtractor: (options) => extractor(configOf(options)),
    checkOptions: (options, where) => void configOf(options, where),
  };
}
