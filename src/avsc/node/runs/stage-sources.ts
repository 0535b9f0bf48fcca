// Sources of a stage's batches: inputs for trained extractors, embeddings by frozen ones.

import { join } from 'node:path';
import type { Device } from '../../../tensor/device.ts';
import { MODALITIES, type Extractor, type Modality } from '../../models/joint.ts';
import { modalitiesOf, pictureInput, type SceneModel } from '../../training/model.ts';
import { extractorNames, frozenIn } from '../../training/recipe.ts';
import { embedClips } from '../data/embeddings.ts';
import type { Sources } from '../data/loader.ts';
import type { PreparedClip } from '../data/prepare.ts';
import { runFiles, type RunFolder } from './folder.ts';

interface SourceOptions {
  readonly device: Device;
  readonly folder: RunFolder;
  /** Folder of the decoded clips. Embeddings by given weights are cached below it and shared by all runs. */
  readonly cache: string;
  readonly signal: AbortSignal;
  /** Called with the seconds embedded so far and the seconds to embed. */
  readonly onEmbedding?: (part: Modality, done: number, total: number) => void;
}

/**
 * Sources of the clips' batches for a stage's model, which is on the device. Embeddings by frozen extractors that are not
 * cached yet are computed. Throws as `embedClips` does.
 */
export async function stageSources(
  model: SceneModel,
  clips: readonly PreparedClip[],
  { device, folder, cache, signal, onEmbedding }: SourceOptions,
): Promise<Sources> {
  const { recipe } = folder.config;
  const parts = modalitiesOf(model.stage);
  const frozen = frozenIn(model.stage, recipe);
  const sources: Record<Modality, Sources[Modality]> = { audio: 'nothing', video: 'nothing' };
  for (const part of MODALITIES) {
    if (parts.includes(part)) sources[part] = 'input';
    if (!frozen.includes(part)) continue;
    const names = extractorNames(recipe);
    // Embeddings by weights that this run trained are of no use to other runs, so they stay in its folder.
    const given = recipe.extractors[part]?.weights;
    sources[part] = await embedClips(clips, {
      device,
      part,
      extractor: extractorOf(model, part),
      name: names[part] ?? recipe.preset,
      picture: pictureInput(recipe.preset, names),
      folder: given ? join(cache, 'embeddings') : runFiles(folder.path).embeddings,
      onProgress: (done, total) => onEmbedding?.(part, done, total),
      signal,
    });
  }
  return sources;
}

function extractorOf({ net }: SceneModel, part: Modality): Extractor {
  const found = part === 'audio' && 'audio' in net ? net.audio : 'video' in net ? net.video : undefined;
  if (found === undefined) throw new Error(`the model has no ${part} extractor`);
  return found;
}
