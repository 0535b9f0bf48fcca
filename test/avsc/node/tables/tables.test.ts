import { describe, expect, it } from 'vitest';
import { resultStages } from '../../../../src/avsc/experiment/experiment.ts';
import { makeRecipe } from '../../../../src/avsc/experiment/recipe.ts';
import {
  experimentNames,
  loadExperiment,
  parseExperiment,
} from '../../../../src/avsc/node/experiments/files.ts';
import { atScale, loadTable, TABLES } from '../../../../src/avsc/node/tables/table.ts';
import { stageKey } from '../../../../src/avsc/node/training/shared-stages.ts';
import type { Experiment } from '../../../../src/avsc/experiment/experiment.ts';

describe('tables', () => {
  it('have the rows of the paper, in its order, with its numbers', async () => {
    const tables = await Promise.all(TABLES.map(loadTable));
    expect(tables.map(({ rows }) => rows.length)).toEqual([9, 16, 7, 5]);
    expect(tables.map(({ rows }) => rows.map(({ paper }) => paper))).toEqual([
      [75.0, 80.4, 85.2, 91.6, 92.2, 92.5, 93.1, 92.9, 93.2],
      [93.2, 92.6, 92.6, 90.4, 91.5, 91.0, 93.3, 92.0, 88.5, 91.3, 92.7, 91.5, 93.5, 92.3, 92.0, 93.2],
      [93.2, 93.4, 93.7, 93.9, 94.2, 93.8, 94.0],
      [77.0, 94.1, 93.9, 93.9, 94.2],
    ]);
    const quoted = tables.flatMap(({ rows }) => rows.filter(({ experiment }) => experiment === null));
    expect(quoted.map(({ id, published }) => [id, published])).toEqual([['yang', 'quoted']]);
    for (const { rows } of tables) expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it('change exactly what their rows say', async () => {
    const [first, second, third] = await Promise.all(TABLES.map(loadTable));
    const joint = (experiment: Experiment | null | undefined) =>
      experiment?.stages.find(({ id }) => id === 'joint');
    expect(first?.rows.map(({ experiment }) => joint(experiment)?.freeze.join())).toEqual([
      ...Array<string>(6).fill('audio,video'),
      'video',
      'audio',
      '',
    ]);
    expect(
      second?.rows.map(({ experiment }) => joint(experiment)?.augmentation.pictures?.operations),
    ).toEqual(second?.rows.map(({ label }) => (label === 'None' ? undefined : [label])));
    expect(third?.rows.map(({ experiment }) => joint(experiment)?.augmentation.mixup?.share)).toEqual([
      ...Array<undefined>(4).fill(undefined),
      0.2,
      0.5,
      1,
    ]);
  });

  it('share the audio net of rows that train it alike, and nothing else', async () => {
    const { rows } = await loadTable('table3');
    const keys = rows.map(({ experiment }) => {
      if (experiment === null) throw new Error('a row without an experiment');
      const [audio, joint] = experiment.stages;
      if (audio === undefined || joint === undefined) throw new Error('a row without its stages');
      const recipe = makeRecipe(experiment, { audio: null, video: null }, 100);
      return [audio, joint].map((stage) => stageKey(recipe, stage, '/data', 'adapter'));
    });
    // Without and with audio augmentation.
    expect(new Set(keys.map(([audio]) => audio)).size).toBe(2);
    expect(new Set(keys.map(([, joint]) => joint)).size).toBe(rows.length);
  });

  it('are small at the scale smoke', async () => {
    const { rows } = await loadTable('table4');
    for (const { experiment } of rows) {
      if (experiment === null) continue;
      const smoke = atScale(experiment, 'smoke');
      expect(smoke).toMatchObject({ imageSize: 64, batchSize: 4, limits: { stepsPerEpoch: 2 } });
      expect(smoke.stages.map(({ id }) => id)).toEqual(experiment.stages.map(({ id }) => id));
      expect(atScale(experiment, 'full')).toBe(experiment);
    }
  });
});

describe('experiment files', () => {
  it('are all valid, and found without a list', async () => {
    const names = await experimentNames();
    expect(names).toEqual(expect.arrayContaining(['baseline', 'joint', 'paper', 'pham', 'small', 'zhang']));
    for (const name of names) {
      const experiment = await loadExperiment(name);
      expect(experiment.name).toBe(name);
      expect(resultStages(experiment).length).toBeGreaterThan(0);
    }
  });

  it('are refused in one sentence that names the file', async () => {
    await expect(loadExperiment('nothing')).rejects.toThrow(
      /there is no experiment .*nothing\.json; those that come/,
    );
    await expect(loadExperiment('package.json')).rejects.toThrow(
      /package\.json is not an experiment: .* has a field/,
    );
    await expect(parseExperiment({ extends: 'paper', batchSize: 1 }, '/x/y.json')).rejects.toThrow(
      '/x/y.json is not an experiment: batchSize is 1',
    );
    await expect(parseExperiment({ extends: 3 }, '/x/y.json')).rejects.toThrow('/x/y.json: extends is 3');
  });
});
