// Sources of a stage's batches: inputs for trained extractors, embeddings by frozen ones.

import { join } from 'node:path';
import type { Device } from '../../../tensor/device.ts';
import { netsOf, type StageSpec } from '../../experiment/experiment.ts';
import type { Recipe } from '../../experiment/recipe.ts';
import type { Modality } from '../../models/joint.ts';
import type { InputPlan } from '../../training/inputs.ts';
import { extractorOf, inputOf, partOf, type SceneModel } from '../../training/model.ts';
import { embedClips } from '../data/embeddings.ts';
import type { Sources } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { runFiles, type RunFolder } from './folder.ts';
import { originOf } from './load.ts';

interface SourceOptions {
  readonly device: Device;
  readonly folder: RunFolder;
  readonly stage: StageSpec;
  /** Folder of the prepared clips. Embeddings by given weights are cached below it and shared by all runs. */
  readonly cache: string;
  readonly signal: AbortSignal;
  /** Called with the seconds embedded so far and the seconds to embed. */
  readonly onEmbedding?: (part: Modality, done: number, total: number) => void;
}

/**
 * Sources of the clips' batches for a stage's model, which is on the device. Embeddings that are not cached yet are computed. Throws as
 * `embedClips` does.
 */
export async function stageSources(
  model: SceneModel,
  clips: readonly PreparedClip[],
  plan: InputPlan,
  { device, folder, stage, cache, signal, onEmbedding }: SourceOptions,
): Promise<Sources> {
  const { recipe } = folder.config;
  const sources: Record<Modality, Sources[Modality]> = { audio: 'nothing', video: 'nothing' };
  for (const { part, from } of plan.parts) {
    if (from !== 'embeddings') {
      sources[part] = from;
      continue;
    }
    const net = netsOf(stage.model).find((name) => partOf(recipe, name) === part) ?? '';
    // Embeddings by weights that this run trained are of no use to other runs, so they stay in its folder.
    const shared = isAsGiven(recipe, stage, net);
    sources[part] = await embedClips(clips, {
      device,
      part,
      extractor: extractorOf(model, part),
      input: inputOf(recipe, net),
      name: recipe.nets[net]?.architecture ?? net,
      picture: plan.picture,
      folder: shared ? join(cache, 'embeddings') : runFiles(folder.path).embeddings,
      onProgress: (done, total) => onEmbedding?.(part, done, total),
      signal,
    });
  }
  return sources;
}

/** Sources of a plan without embeddings. */
export function inputSources(plan: InputPlan): Sources {
  const sources: Record<Modality, Sources[Modality]> = { audio: 'nothing', video: 'nothing' };
  for (const { part, from } of plan.parts) {
    if (from === 'embeddings') throw new Error(`the ${part} embeddings of the plan have no source`);
    sources[part] = from;
  }
  return sources;
}

/** Whether a net still has its given weights in a stage: no stage before trains it. */
function isAsGiven(recipe: Recipe, stage: StageSpec, net: string): boolean {
  const origin = originOf(recipe, stage, net);
  if (origin.kind !== 'stage') return origin.kind === 'given';
  return origin.stage.freeze.includes(partOf(recipe, net)) && isAsGiven(recipe, origin.stage, net);
}
