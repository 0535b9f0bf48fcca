// Changes of an experiment by options of the command line.

import type { Precision } from '../../tensor/graph/recording.ts';
import { MODALITIES, type Frozen, type Modality } from '../models/joint.ts';
import { modalityOf, type ArchitectureName } from '../weights/architecture.ts';
import { findArchitecture } from '../weights/architectures.ts';
import { netsOf, type Experiment, type NetSpec, type Phase, type StageSpec } from './experiment.ts';

/** A published net that replaces the experiment's for a modality, and a file with its initial weights. */
export interface NetChoice {
  readonly architecture: ArchitectureName | null;
  readonly weights: string | null;
}

/** Options of `train`; what is absent stays as the experiment has it. */
export interface Overrides {
  readonly seed?: number;
  readonly batchSize?: number;
  /** Epochs of every stage. */
  readonly epochs?: number;
  /** Learning rate of stages with both modalities. */
  readonly lr?: number;
  /** Learning rate of stages with one modality. */
  readonly unimodalLr?: number;
  readonly validation?: number;
  readonly nets?: Readonly<Partial<Record<Modality, NetChoice>>>;
  readonly freeze?: Frozen;
  readonly precision?: Precision;
}

const PARTS: Readonly<Record<Frozen, readonly Modality[]>> = {
  none: [],
  audio: ['audio'],
  video: ['video'],
  both: MODALITIES,
};

/** The experiment with the options applied. Throws an Error if a net is of the other modality or of none of its stages. */
export function overrideExperiment(experiment: Experiment, overrides: Overrides): Experiment {
  const { seed, batchSize, validation, epochs, lr, unimodalLr } = overrides;
  const replaced = MODALITIES.reduce(
    (from, part) => replaceNets(from, part, overrides.nets?.[part]),
    experiment,
  );
  const stages = applyFreeze(replaced, overrides).map((stage): StageSpec => {
    const learningRate = (stage.model.kind === 'joint' ? lr : unimodalLr) ?? stage.optimizer.learningRate;
    return { ...stage, epochs: epochs ?? stage.epochs, optimizer: { ...stage.optimizer, learningRate } };
  });
  return {
    ...replaced,
    stages,
    given: null,
    seed: seed ?? experiment.seed,
    batchSize: batchSize ?? experiment.batchSize,
    validation: validation ?? experiment.validation,
    precision: overrides.precision ?? experiment.precision,
  };
}

const partOf = ({ architecture }: NetSpec): Modality => modalityOf(findArchitecture(architecture));

function replaceNets(experiment: Experiment, part: Modality, choice: NetChoice | undefined): Experiment {
  if (choice === undefined) return experiment;
  const { architecture, weights } = choice;
  if (architecture !== null && modalityOf(findArchitecture(architecture)) !== part)
    throw new Error(`${architecture} is not a net for ${part}`);
  const names = Object.keys(experiment.nets).filter(
    (name) => partOf(experiment.nets[name] as NetSpec) === part,
  );
  if (names.length === 0) throw new Error(`the experiment ${experiment.name} has no net for ${part}`);
  const changed = names.map((name) => {
    const old = experiment.nets[name] as NetSpec;
    const net: NetSpec =
      architecture === null
        ? { ...old, weights }
        : {
            architecture,
            options: null,
            weights,
            standardize: experiment.given?.standardize ?? false,
          };
    return [name, net] as const;
  });
  const input = architecture === null ? undefined : findArchitecture(architecture).input;
  return {
    ...experiment,
    // A published net sees pictures as its weights were trained on them.
    imageSize: input?.kind === 'picture' ? input.size : experiment.imageSize,
    nets: { ...experiment.nets, ...Object.fromEntries(changed) },
  };
}

/**
 * Stages with their frozen extractors. A net with given weights can be frozen in every stage, another one in joint stages, where an
 * earlier stage has trained it.
 */
function applyFreeze(experiment: Experiment, { freeze, nets }: Overrides): readonly StageSpec[] {
  const { given } = experiment;
  const withWeights = MODALITIES.filter((part) => nets?.[part]?.weights);
  const wanted = freeze === undefined ? (given?.freeze ? withWeights : null) : PARTS[freeze];
  return experiment.stages.map((stage) => {
    const parts = netsOf(stage.model).map((net) => partOf(experiment.nets[net] as NetSpec));
    const own = parts.filter((part) => withWeights.includes(part));
    const frozen =
      wanted === null
        ? stage.freeze
        : parts.filter(
            (part) => wanted.includes(part) && (stage.model.kind === 'joint' || own.includes(part)),
          );
    const phase: Partial<Phase> =
      given === null || own.length === 0
        ? {}
        : own.some((part) => frozen.includes(part))
          ? given.frozen
          : given.trained;
    return { ...stage, ...phase, freeze: frozen };
  });
}
