// Predictions of a model on all samples of a loader, and their metrics.

import type { Device } from '../../../tensor/device.ts';
import type { TypedArray } from '../../../tensor/graph/dtype.ts';
import type { Precision } from '../../../tensor/graph/recording.ts';
import type { InputPlan } from '../../training/inputs.ts';
import { measure, softmaxRows, type Metrics } from '../../training/metrics.ts';
import type { SceneModel } from '../../training/model.ts';
import { createPredictor } from '../../training/trainer.ts';
import type { Loader, Sample } from '../data/loader.ts';

export interface Predictions {
  readonly samples: readonly Sample[];
  readonly scenes: readonly string[];
  /** [samples, scenes]. */
  readonly probabilities: Float64Array<ArrayBuffer>;
}

/** Batches that may be in flight before the oldest result is awaited. */
const IN_FLIGHT = 3;

interface PredictOptions {
  /** Default f32; so does a device without shader-f16. */
  readonly precision?: Precision;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Probabilities of every sample, in the order of the loader, which must not drop any. Throws the signal's reason. */
export async function predictAll(
  device: Device,
  model: SceneModel,
  plan: InputPlan,
  loader: Loader,
  { precision = 'f32', onProgress, signal }: PredictOptions = {},
): Promise<Predictions> {
  const { scenes } = model;
  const classes = scenes.length;
  const samples: Sample[] = [];
  const logits = new Float64Array(loader.sampleCount * classes);
  const pending: Promise<void>[] = [];
  const predictor = createPredictor(device, model, plan, precision);
  try {
    for await (const batch of loader.batches(0)) {
      signal?.throwIfAborted();
      const at = samples.length * classes;
      samples.push(...batch.samples);
      const result = await predictor.predict(batch, batch.rows);
      const put = (data: TypedArray): void => logits.set(data.subarray(0, batch.count * classes), at);
      pending.push(result.data().then(put));
      if (pending.length >= IN_FLIGHT) await pending.shift();
      onProgress?.(samples.length, loader.sampleCount);
    }
    await Promise.all(pending);
  } finally {
    await Promise.allSettled(pending);
    predictor.dispose();
  }
  return { samples, scenes, probabilities: softmaxRows(logits, classes) };
}

/**
 * Late fusion: the product of the models' probabilities of each sample, scaled to sum 1. The predictions are of the same samples.
 * Throws a RangeError if they are not, or if there are none.
 */
export function productOf(predictions: readonly Predictions[]): Predictions {
  const [first] = predictions;
  if (first === undefined) throw new RangeError('a product needs at least one model');
  if (predictions.length === 1) return first;
  const logs = new Float64Array(first.probabilities.length);
  for (const { samples, probabilities } of predictions) {
    if (samples.length !== first.samples.length)
      throw new RangeError(`a product of ${samples.length} and ${first.samples.length} samples`);
    probabilities.forEach((p, i) => (logs[i] = (logs[i] ?? 0) + Math.log(p)));
  }
  const { samples, scenes } = first;
  return { samples, scenes, probabilities: softmaxRows(logs, scenes.length) };
}

/** Metrics of predictions on labelled samples. Throws an Error if a sample has no label. */
export function measurePredictions({ samples, scenes, probabilities }: Predictions): Metrics {
  const labels = samples.map(({ clip }) => {
    if (clip.label === undefined)
      throw new Error(`${clip.source.file}, row ${clip.source.line}: no label to compare with`);
    return clip.label;
  });
  return measure(probabilities, labels, scenes);
}
