// The options of `train`: converted for a new run, and compared with a run to resume.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadExperiment } from '../avsc/node/experiments/files.ts';
import { netFor } from '../avsc/training/model.ts';
import type { Experiment } from '../avsc/experiment/experiment.ts';
import { overrideExperiment, type NetChoice, type Overrides } from '../avsc/experiment/override.ts';
import type { PresetName } from '../avsc/experiment/presets.ts';
import type { Recipe } from '../avsc/experiment/recipe.ts';
import { MODALITIES, type Modality } from '../avsc/models/joint.ts';
import type { RunFolder } from '../avsc/node/runs/folder.ts';
import type { NewRun } from '../avsc/node/training/start.ts';
import { sha256Of } from '../avsc/node/weights/given.ts';
import type { ArchitectureName } from '../avsc/weights/architecture.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { UsageError } from './options.ts';

export interface TrainOptions extends Omit<Overrides, 'batchSize' | 'nets'> {
  readonly preset: PresetName;
  readonly config?: string;
  readonly audio?: ArchitectureName;
  readonly audioWeights?: string;
  readonly video?: ArchitectureName;
  readonly videoWeights?: string;
  readonly weightsFolder: string;
  readonly randomWeights?: true;
  readonly data?: string;
  readonly batch?: number;
  readonly lrUnimodal?: number;
  readonly device: AdapterChoice;
  readonly cache?: string;
  readonly out?: string;
  readonly resume?: true;
  readonly tune?: true;
  readonly saveEvery: number;
  readonly dryRun?: true;
  readonly limits: string;
  readonly json?: true;
}

/** The new run of the options. Throws a UsageError for weights without the name of their net. */
export async function newRun(options: TrainOptions, command: Command): Promise<NewRun> {
  const { config, preset, weightsFolder, randomWeights, data, out } = options;
  if (config !== undefined && command.getOptionValueSource('preset') === 'cli')
    throw new UsageError('--config and --preset both name an experiment: give one of them');
  const experiment = overrideExperiment(await loadExperiment(config ?? preset), overridesOf(options));
  return {
    experiment,
    data,
    out,
    weights: { folder: weightsFolder, missing: randomWeights ? 'random' : 'refuse' },
  };
}

function overridesOf(options: TrainOptions): Overrides {
  const { seed, batch, epochs, lr, lrUnimodal, validation, freeze, precision } = options;
  const nets = Object.fromEntries(
    MODALITIES.flatMap((part): [Modality, NetChoice][] => {
      const architecture = options[part];
      const weights = options[`${part}Weights`];
      if (architecture === undefined && weights === undefined) return [];
      // The paper's preset names its nets; the small one's have no published weights.
      if (architecture === undefined && options.config === undefined && options.preset === 'small')
        throw new UsageError(`--${part}-weights needs --${part} to say which net the weights are of`);
      return [
        [
          part,
          { architecture: architecture ?? null, weights: weights === undefined ? null : resolve(weights) },
        ],
      ];
    }),
  );
  return {
    nets,
    ...(seed !== undefined && { seed }),
    ...(batch !== undefined && { batchSize: batch }),
    ...(epochs !== undefined && { epochs }),
    ...(lr !== undefined && { lr }),
    ...(lrUnimodal !== undefined && { unimodalLr: lrUnimodal }),
    ...(validation !== undefined && { validation }),
    ...(freeze !== undefined && { freeze }),
    ...(precision !== undefined && { precision }),
  };
}

/** Throws a UsageError if an option on the command line differs from the recipe of the run to resume. */
export async function assertSameRecipe(
  { path, config }: RunFolder,
  options: TrainOptions,
  command: Command,
): Promise<void> {
  const { recipe, data } = config;
  const stages = (kind: 'single' | 'joint') => recipe.stages.filter(({ model }) => model.kind === kind);
  const rates = (kind: 'single' | 'joint') => stages(kind).map(({ optimizer }) => optimizer.learningRate);
  const same: readonly [option: keyof TrainOptions, flag: string, found: readonly (string | number)[]][] = [
    ['data', '--data', [data]],
    ['preset', '--preset', [recipe.name]],
    ['epochs', '--epochs', recipe.stages.map(({ epochs }) => epochs)],
    ['batch', '--batch', [recipe.batchSize]],
    ['lr', '--lr', rates('joint')],
    ['lrUnimodal', '--lr-unimodal', rates('single')],
    ['audio', '--audio', architecturesOf(recipe, 'audio')],
    ['video', '--video', architecturesOf(recipe, 'video')],
    ['freeze', '--freeze', [frozenParts(recipe)]],
    ['validation', '--validation', [recipe.validation]],
    ['precision', '--precision', [recipe.precision]],
    ['seed', '--seed', [recipe.seed]],
  ];
  for (const [option, flag, found] of same) {
    if (command.getOptionValueSource(option) !== 'cli') continue;
    const given = option === 'data' ? resolve(options.data ?? '') : options[option];
    const other = found.find((value) => value !== given);
    if (other !== undefined) {
      throw new UsageError(
        `${path} was started with ${flag} ${other}: leave the option out, or start a new run`,
      );
    }
  }
  if (options.config !== undefined)
    throw new UsageError(`${path} has its own experiment: leave --config out, or start a new run`);
  for (const part of MODALITIES) {
    const file = options[`${part}Weights`];
    if (file === undefined) continue;
    const known = netNames(recipe, part).flatMap((net) => recipe.weights[net]?.sha256 ?? []);
    if (!known.includes(await sha256Of(file))) {
      throw new UsageError(
        `${path} was started with ${known.length > 0 ? `other --${part}-weights than ${file} holds` : `no --${part}-weights`}: ` +
          'leave the option out, or start a new run',
      );
    }
  }
}

const netNames = (recipe: Recipe, part: Modality): readonly string[] => [
  ...new Set(recipe.stages.flatMap(({ model }) => netFor(recipe, model, part) ?? [])),
];

const architecturesOf = (recipe: Recipe, part: Modality): readonly string[] =>
  netNames(recipe, part).map((net) => recipe.nets[net]?.architecture ?? 'nothing');

/** The extractors that are frozen in the last stage, as `--freeze` names them. */
function frozenParts({ stages }: Experiment): string {
  const freeze = stages.at(-1)?.freeze ?? [];
  return freeze.length === 2 ? 'both' : (freeze[0] ?? 'none');
}
