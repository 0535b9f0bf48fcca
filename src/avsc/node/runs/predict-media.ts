// Predictions of a run's models on media files.

import type { Device } from '../../../tensor/device.ts';
import { netsOf, type Experiment, type StageSpec } from '../../experiment/experiment.ts';
import { softmaxRows } from '../../training/metrics.ts';
import { inputNames, inputOf, type SceneModel } from '../../training/model.ts';
import type { SampleData } from '../../training/inputs.ts';
import { modelsFor } from '../../training/choice.ts';
import { inputPlan } from '../../training/plan.ts';
import { createPredictor, type Predictor } from '../../training/trainer.ts';
import { SOUND_INPUTS } from '../../features/inputs.ts';
import { elementCount } from '../../../tensor/graph/shape.ts';
import { inputBytes } from '../data/derive.ts';
import { readMediaSeconds, type MediaSeconds } from '../data/media-seconds.ts';
import type { TrainedModels } from './trained.ts';

/** Seconds in a batch. */
const BATCH = 8;

interface MediaPrediction {
  /** The models for the modalities of the file; their probabilities are multiplied if there are several. */
  readonly models: readonly string[];
  /** [seconds, scenes], in the order of the experiment's scenes. */
  readonly probabilities: Float64Array<ArrayBuffer>;
  /** Sentences about what the file lacks, which name it. */
  readonly warnings: readonly string[];
  /** True if the file was cut: it describes more than it has. */
  readonly truncated: boolean;
}

export interface MediaPredictor {
  /** Predicts each second of a file. Throws one sentence, naming the file, if it cannot be used, or the signal's reason. */
  predict(path: string, signal: AbortSignal): Promise<MediaPrediction>;
  dispose(): void;
}

/** Predicts with the experiment's result if a file has sound and pictures, else with a model of its one modality. */
export function predictMedia(trained: TrainedModels, device: Device): MediaPredictor {
  const { experiment } = trained;
  const classes = experiment.scenes.length;
  const loaded = new Map<string, { readonly model: SceneModel; readonly predictor: Predictor }>();
  const open = async (stage: StageSpec): Promise<Predictor> => {
    const found = loaded.get(stage.id);
    if (found) return found.predictor;
    const model = await trained.load(stage.id, device);
    const predictor = createPredictor(
      device,
      model,
      inputPlan(experiment, { ...stage, freeze: [] }, 'evaluation'),
      experiment.precision,
    );
    loaded.set(stage.id, { model, predictor });
    return predictor;
  };
  return {
    predict: async (path, signal) => {
      const media = await readMediaSeconds(
        path,
        { inputs: inputNames(experiment), size: experiment.imageSize },
        signal,
      );
      const stages = stagesFor(trained, media, path);
      const logits = new Float64Array(media.seconds * classes);
      for (const stage of stages) {
        const predictor = await open(stage);
        for (let from = 0; from < media.seconds; from += BATCH) {
          signal.throwIfAborted();
          const count = Math.min(BATCH, media.seconds - from);
          const batch = batchOf(experiment, stage, media, from, count);
          const rows = (await (await predictor.predict(batch, BATCH)).data()).subarray(0, count * classes);
          // A product of probabilities is a sum of their logarithms, up to a factor that the softmax takes out.
          rows.forEach(
            (value, i) => (logits[from * classes + i] = (logits[from * classes + i] ?? 0) + value),
          );
        }
      }
      const { warnings, truncated } = media;
      return {
        models: stages.map(({ id }) => id),
        probabilities: softmaxRows(logits, classes),
        warnings,
        truncated,
      };
    },
    dispose: () => {
      for (const { model, predictor } of loaded.values()) {
        predictor.dispose();
        model.net.dispose();
      }
    },
  };
}

/** The stages of the result whose inputs the file has, or else the last stage that can do with what there is. */
function stagesFor(
  { experiment, models: ids }: TrainedModels,
  media: MediaSeconds,
  path: string,
): readonly StageSpec[] {
  const has = { audio: media.sound !== null, video: media.frames !== null };
  const models = modelsFor(
    experiment,
    experiment.stages.filter(({ id }) => ids.includes(id)),
    has,
  );
  if (models !== null) return models;
  throw new Error(
    `${path} has no ${has.audio ? 'pictures' : 'sound'}, and there is no model for ${has.audio ? 'sound' : 'pictures'} alone`,
  );
}

/** Seconds [from, from + count) in a batch of BATCH. The other rows are zeros. */
function batchOf(
  experiment: Experiment,
  { model }: StageSpec,
  media: MediaSeconds,
  from: number,
  count: number,
): SampleData {
  const inputs: Record<string, Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> = {};
  for (const net of netsOf(model)) {
    const input = inputOf(experiment, net);
    if (input === 'frames') {
      const bytes = inputBytes(input, experiment.imageSize);
      const batch = new Uint8Array(BATCH * bytes);
      if (media.frames) batch.set(media.frames.subarray(from * bytes, (from + count) * bytes));
      inputs[input] = batch;
    } else {
      const values = elementCount(SOUND_INPUTS[input]);
      const batch = new Float32Array(BATCH * values);
      const sound = media.sound?.[input];
      if (sound) batch.set(sound.subarray(from * values, (from + count) * values));
      inputs[input] = batch;
    }
  }
  return { inputs };
}
