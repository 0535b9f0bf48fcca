import { join } from 'node:path';
import { overrideExperiment, type Overrides } from '../../src/avsc/experiment/override.ts';
import { preset } from '../../src/avsc/experiment/presets.ts';
import { makeRecipe } from '../../src/avsc/experiment/recipe.ts';
import { createRun, labels, weightsFile, type RunFolder } from '../../src/avsc/node/runs/folder.ts';
import { writeTensors } from '../../src/avsc/node/runs/tensors-file.ts';
import { createModel } from '../../src/avsc/training/model.ts';
import { manualSeed } from '../../src/index.ts';
import type { StateDict } from '../../src/nn/state.ts';
import { hashWeight } from './hash_weights.ts';

/** A finished run of the small preset in `folder`, as training would leave it, with weights that nobody trained. */
export async function makeRun(
  folder: string,
  name: string,
  nets: Overrides['nets'] = {},
  video?: StateDict,
): Promise<RunFolder> {
  const experiment = overrideExperiment(preset('small'), { nets });
  const recipe = makeRecipe(experiment, { fcnn: null, densenet: null }, 10);
  const run = await createRun(join(folder, name), { data: folder, recipe });
  manualSeed(5);
  for (const stage of recipe.stages) {
    const state = await createModel(recipe, stage).net.stateDict();
    for (const [key, { shape }] of state) {
      const given = key.startsWith('video.') ? video?.get(key.slice('video.'.length)) : undefined;
      if (given !== undefined) state.set(key, given);
      // Statistics and weights with which probabilities differ from class to class.
      else if (!key.endsWith('mean_image')) state.set(key, { shape, data: hashWeight(key, shape) });
    }
    await writeTensors(weightsFile(run, stage.id), labels(run).stage(stage.id), { tensors: state });
  }
  return run;
}
