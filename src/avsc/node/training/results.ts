// Metrics of a run's models on the evaluation split, at the end of a training.

import { ENSEMBLE, resultKey, resultStages } from '../../experiment/experiment.ts';
import type { Metrics } from '../../training/metrics.ts';
import type { RunResults } from '../../training/records.ts';
import { measurePredictions, productOf, type Predictions } from '../runs/evaluate.ts';
import { predictStage } from '../runs/measure.ts';
import { measureContext, type Run } from './run.ts';

interface Measured {
  readonly results: RunResults;
  /** Predictions of the system. */
  readonly predictions: Predictions;
}

/** Metrics of the trained models, and the predictions of the result. */
export async function measureRun(run: Run): Promise<Measured> {
  const { recipe } = run.folder.config;
  const wanted = resultStages(recipe);
  const measured = recipe.stages.filter(({ id }) => run.measure !== 'result' || wanted.includes(id));
  const results: Record<string, Metrics> = {};
  const kept: Predictions[] = [];
  for (const stage of measured) {
    run.events.onEvaluation?.(stage.id);
    const predictions = await predictStage(measureContext(run), stage, run.clips.evaluate);
    results[stage.id] = measurePredictions(predictions);
    if (wanted.includes(stage.id)) kept.push(predictions);
  }
  const predictions = productOf(kept);
  if (resultKey(recipe) === ENSEMBLE) results[ENSEMBLE] = measurePredictions(predictions);
  return { results, predictions };
}
