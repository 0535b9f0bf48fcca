import { describe, expect, it } from 'vitest';
import { SCENES } from '../../src/avsc/dataset/scenes.ts';
import { measure } from '../../src/avsc/training/metrics.ts';
import { makeRecipe } from '../../src/avsc/training/recipe.ts';
import { renderReport } from '../../src/avsc/training/report.ts';
import { STAGES, type RunRecord } from '../../src/avsc/training/records.ts';

const certain = SCENES.flatMap((_, label) => SCENES.map((_, c) => (c === label ? 1 : 0)));
const metrics = measure(certain, [...SCENES.keys()], SCENES);

const page = (records: readonly RunRecord[]): string =>
  renderReport({
    title: 'runs/<a&b>',
    data: '/data/"quoted"',
    recipe: makeRecipe({ preset: 'small' }, 40),
    records,
    results: { audio: metrics, video: metrics, joint: metrics },
  });

describe('report', () => {
  it('draws every stage, loads nothing and escapes names', () => {
    const html = page(
      STAGES.flatMap((stage): RunRecord[] => [
        { kind: 'step', stage, epoch: 1, step: 1, lr: 1e-3, loss: 2.3 },
        { kind: 'step', stage, epoch: 1, step: 2, lr: 1e-3, loss: 1.2 },
        { kind: 'epoch', stage, epoch: 1, loss: 1.75, validation: { accuracy: 0.5, logLoss: 1 } },
      ]),
    );
    expect(html).toContain('<h1>runs/&lt;a&amp;b&gt;</h1>');
    expect(html).toContain('/data/&quot;quoted&quot;');
    expect(html).not.toMatch(/<script|<link|src=|url\(|NaN|undefined/);
    // Three curves in each of three charts, a cell of the matrix for each pair of scenes and model.
    expect(html.match(/<polyline/g)).toHaveLength(9);
    expect(html.match(/class="cell"/g)).toHaveLength(3 * SCENES.length ** 2);
    expect(html.match(/100\.0 %/g)).toHaveLength(3 * 2 + 3 * SCENES.length);
  });

  it('says so where there is nothing to draw', () => {
    expect(page([])).toContain('Nothing to draw yet.');
  });

  it('draws thousands of steps as means of stretches', () => {
    const html = page(
      Array.from({ length: 5000 }, (_, i) => ({
        kind: 'step',
        stage: 'audio',
        epoch: 1,
        step: i + 1,
        lr: 1,
        loss: i % 2,
      })),
    );
    const [points = ''] = html.match(/(?<=points=")[^"]{50,}(?=")/) ?? [];
    expect(points.split(' ').length).toBeLessThanOrEqual(300);
  });
});
