import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeWav } from '../../../../src/avsc/index.ts';
import { makeRecipe } from '../../../../src/avsc/experiment/recipe.ts';
import { preset } from '../../../../src/avsc/experiment/presets.ts';
import { exportAllSafetensors, exportRunSafetensors } from '../../../../src/avsc/node/runs/export.ts';
import { createRun, openRun, type RunFolder } from '../../../../src/avsc/node/runs/folder.ts';
import { predictMedia } from '../../../../src/avsc/node/runs/predict-media.ts';
import { isModelFile, modelsOfRun, openTrained } from '../../../../src/avsc/node/runs/trained.ts';
import { nn, type Device } from '../../../../src/index.ts';
import { wavelight } from '../../../cli/wavelight.ts';
import { testDevice } from '../../../support/engine.ts';
import { uniform } from '../../../support/hash.ts';
import { makeRun } from '../../../support/made_run.ts';
import { temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const { signal } = new AbortController();
const [all, one] = [join(folder, 'all.safetensors'), join(folder, 'one.safetensors')];

let device: Device;
let run: RunFolder;
beforeAll(async () => {
  device = await testDevice();
  run = await makeRun(folder, 'run');
  await exportAllSafetensors(run, all);
  await exportRunSafetensors(run, 'audio', one);
});
afterAll(() => device.destroy());

it('predicts by a file as by the run that it was exported from', async () => {
  const wav = join(folder, 'noise.wav');
  const noise = Float32Array.from(uniform('noise', 2 * 48_000));
  await writeFile(wav, encodeWav([noise, noise], 48_000, 24));
  const results = [];
  for (const path of [run.path, all, one]) {
    const predictor = predictMedia(await openTrained(path), device);
    results.push(await predictor.predict(wav, signal));
    predictor.dispose();
  }
  const [first, ...others] = results;
  expect(first?.models).toEqual(['audio']);
  for (const other of others) expect(other).toEqual(first);
});

it('knows the models of a run and of a file', async () => {
  expect(modelsOfRun(run).models).toEqual(['audio', 'video', 'joint']);
  expect((await openTrained(all)).models).toEqual(['audio', 'video', 'joint']);
  const single = await openTrained(one);
  expect(single.models).toEqual(['audio']);
  await expect(single.load('joint', device)).rejects.toThrow(`${one} has no model joint: it has audio`);
  expect(await isModelFile(join(folder, 'none.safetensors'))).toBe(false);
});

it('refuses files that are no models, in one sentence that names them', async () => {
  const refused = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return openTrained(path).then(
      () => 'it was opened',
      (error: unknown) => (error as Error).message,
    );
  };
  const bare = nn.writeSafetensors(new Map([['a', { shape: [1], data: new Float32Array(1) }]]));
  expect(await refused('bare.safetensors', bare)).toContain(
    'bare.safetensors does not say which nets its weights are of: write one by "wavelight export RUN',
  );
  expect(await refused('none.safetensors', Buffer.from('none'))).toContain('none.safetensors: ');
  const hostile = (scenes: unknown): Uint8Array => {
    const experiment = { name: 'e', batchSize: 2, imageSize: 32, nets: {}, stages: [], result: 'a', scenes };
    const definition = JSON.stringify({ version: 1, experiment, prefixes: {} });
    return nn.writeSafetensors(new Map(), new Map([['definition', definition]]));
  };
  expect(await refused('twice.safetensors', hostile(['a', 'a']))).toContain('scenes has "a" twice');
  expect(await refused('lines.safetensors', hostile(['a', 'b\u0000']))).toContain('control character');
  await expect(openTrained(folder)).rejects.toThrow('is not a run');
});

it('keeps the scenes of a run', async () => {
  const scenes = ['my kitchen', 'my street'];
  const recipe = makeRecipe({ ...preset('small'), scenes }, { fcnn: null, densenet: null }, 10);
  const { path } = await createRun(join(folder, 'own'), { data: folder, recipe });
  expect((await openRun(path)).config.recipe.scenes).toEqual(scenes);
});

it('evaluates a file by the command line only with a data set', async () => {
  const without = await wavelight(['eval', all], folder);
  expect(without.code).toBe(2);
  expect(without.stderr).toContain('name one with --data');
  const lacks = await wavelight(['eval', one, '--data', folder], folder);
  expect(lacks.code).toBe(2);
  expect(lacks.stderr).toContain('has no model joint: name one of audio with --model');
});
