// Predictions of a model on all samples of a loader, and their metrics.

import type { Device } from '../../../tensor/device.ts';
import type { TypedArray } from '../../../tensor/graph/dtype.ts';
import { SCENES } from '../../dataset/scenes.ts';
import { measure, softmaxRows, type Metrics } from '../../training/metrics.ts';
import type { SceneModel } from '../../training/model.ts';
import { createPredictor } from '../../training/trainer.ts';
import type { Loader, Sample } from '../data/loader.ts';

export interface Predictions {
  readonly samples: readonly Sample[];
  /** [samples, 10], in the order of SCENES. */
  readonly probabilities: Float64Array<ArrayBuffer>;
}

/** Batches that may be in flight before the oldest result is awaited. */
const IN_FLIGHT = 3;

interface PredictOptions {
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Probabilities of every sample, in the order of the loader, which must not drop any. Throws the signal's reason. */
export async function predictAll(
  device: Device,
  model: SceneModel,
  loader: Loader,
  { onProgress, signal }: PredictOptions = {},
): Promise<Predictions> {
  const classes = SCENES.length;
  const samples: Sample[] = [];
  const logits = new Float64Array(loader.sampleCount * classes);
  const pending: Promise<void>[] = [];
  const predictor = createPredictor(device, model);
  try {
    for await (const batch of loader.batches(0)) {
      signal?.throwIfAborted();
      const at = samples.length * classes;
      samples.push(...batch.samples);
      const result = await predictor.predict(batch, batch.classes.length);
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
  return { samples, probabilities: softmaxRows(logits, classes) };
}

/** Metrics of predictions on labelled samples. Throws an Error if a sample has no label. */
export function measurePredictions({ samples, probabilities }: Predictions): Metrics {
  const labels = samples.map(({ clip }) => {
    if (clip.label === undefined)
      throw new Error(`${clip.source.file}, row ${clip.source.line}: no label to compare with`);
    return clip.label;
  });
  return measure(probabilities, labels, SCENES);
}
