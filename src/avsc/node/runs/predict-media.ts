// Predictions of a run's models on media files.

import type { Device } from '../../../tensor/device.ts';
import { SCENES } from '../../dataset/scenes.ts';
import { normalisePictures, type PictureInput } from '../../features/pictures.ts';
import { softmaxRows } from '../../training/metrics.ts';
import { pictureInput, type SceneModel } from '../../training/model.ts';
import { extractorNames } from '../../training/recipe.ts';
import type { Stage } from '../../training/records.ts';
import { createPredictor, type Predictor } from '../../training/trainer.ts';
import { AUDIO_VALUES, frameBytes } from '../data/clip-file.ts';
import { loadModel } from './load.ts';
import { readMediaSeconds, type MediaSeconds } from '../data/media-seconds.ts';
import type { RunFolder } from './folder.ts';

/** Seconds in a batch. */
const BATCH = 8;

interface MediaPrediction {
  /** The model for the modalities of the file. */
  readonly model: Stage;
  /** [seconds, 10], in the order of SCENES. */
  readonly probabilities: Float64Array<ArrayBuffer>;
}

export interface MediaPredictor {
  /** Predicts each second of a file. Throws one sentence, naming the file, if it cannot be used, or the signal's reason. */
  predict(path: string, signal: AbortSignal): Promise<MediaPrediction>;
  dispose(): void;
}

/** Predicts with the joint model if a file has sound and pictures, else with the model of its one modality. */
export function predictMedia(folder: RunFolder, device: Device): MediaPredictor {
  const { recipe } = folder.config;
  const picture = pictureInput(recipe.preset, extractorNames(recipe));
  const loaded = new Map<Stage, { readonly model: SceneModel; readonly predictor: Predictor }>();
  const open = async (stage: Stage): Promise<Predictor> => {
    const found = loaded.get(stage);
    if (found) return found.predictor;
    const model = await loadModel(folder, stage, device);
    const predictor = createPredictor(device, model);
    loaded.set(stage, { model, predictor });
    return predictor;
  };
  return {
    predict: async (path, signal) => {
      const media = await readMediaSeconds(path, picture.size, signal);
      const stage = stageFor(media);
      const predictor = await open(stage);
      const logits = new Float64Array(media.seconds * SCENES.length);
      for (let from = 0; from < media.seconds; from += BATCH) {
        signal.throwIfAborted();
        const count = Math.min(BATCH, media.seconds - from);
        const result = await predictor.predict(batchOf(media, picture, from, count), BATCH);
        logits.set((await result.data()).subarray(0, count * SCENES.length), from * SCENES.length);
      }
      return { model: stage, probabilities: softmaxRows(logits, SCENES.length) };
    },
    dispose: () => {
      for (const { model, predictor } of loaded.values()) {
        predictor.dispose();
        model.net.dispose();
      }
    },
  };
}

function stageFor({ audio, frames }: MediaSeconds): Stage {
  if (audio === null) return 'video';
  return frames === null ? 'audio' : 'joint';
}

/** Seconds [from, from + count) in a batch of BATCH. The other rows, and a modality that the file lacks, are zeros. */
function batchOf(
  { audio, frames }: MediaSeconds,
  picture: PictureInput,
  from: number,
  count: number,
): { audio: Float32Array<ArrayBuffer>; frames: Float32Array<ArrayBuffer> } {
  const bytes = frameBytes(picture.size);
  const batch = { audio: new Float32Array(BATCH * AUDIO_VALUES), frames: new Float32Array(BATCH * bytes) };
  if (audio) batch.audio.set(audio.subarray(from * AUDIO_VALUES, (from + count) * AUDIO_VALUES));
  if (frames)
    normalisePictures(
      frames.subarray(from * bytes, (from + count) * bytes),
      picture.size,
      picture,
      batch.frames,
    );
  return batch;
}
