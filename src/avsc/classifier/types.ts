import type { OpenOptions } from '../../nn/checkpoint/options.ts';
import type { Experiment } from '../experiment/experiment.ts';
import type { SceneImages } from './pictures.ts';
import type { SceneAudio } from './sound.ts';

export interface LoadOptions extends OpenOptions {
  /** The experiment that a file was trained by which does not say it itself, as older ones do not. */
  readonly experiment?: Experiment;
  /** The model of the file that judges: the id of its stage. Default: the experiment's result, or what can do with the input. */
  readonly model?: string;
}

/** One second of a recording; at least one of `audio` and `images`. */
export interface SceneInput {
  readonly audio?: SceneAudio;
  /** Of `audio`, in Hz; any, since it is resampled to 48 kHz. An AudioBuffer has its own. */
  readonly sampleRate?: number;
  readonly images?: SceneImages;
}

/** A recording of any length; at least one of `audio` and `images`. */
export interface SceneRecording extends Pick<SceneInput, 'audio' | 'sampleRate'> {
  /** The pictures of each second. */
  readonly images?: readonly SceneImages[];
}

export interface SceneResult {
  /** The likeliest one. */
  readonly scene: string;
  /** Its probability. */
  readonly probability: number;
  /** Of all scenes, in the order of `names`; their sum is 1. */
  readonly probabilities: Float64Array<ArrayBuffer>;
  readonly names: readonly string[];
  /** Models that judged; the probabilities of several are multiplied. */
  readonly models: readonly string[];
  readonly milliseconds: StageTimes;
}

/** Milliseconds that a second took. */
export interface StageTimes {
  /** Resampling and features, on the host. */
  readonly sound: number;
  /** Reading the pictures. Where the device reads them, most of that time is in `nets`. */
  readonly pictures: number;
  /** The models, from their start until the probabilities are on the host. */
  readonly nets: number;
}

/** How much each element of something counts for a scene, row-major. */
export interface Relevance {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

export interface ExplainOptions {
  /** The scene that is explained. Default: the likeliest one. */
  readonly scene?: string;
}

export interface Explanation {
  /** What is explained. */
  readonly scene: string;
  /** The judgement itself. */
  readonly result: SceneResult;
  /**
   * Grad-CAM of the two frames, [height, width] of the net's last feature map, of at least 0: what in the picture speaks for the
   * scene. It covers the squashed and cropped picture that the net sees. Null without pictures.
   */
  readonly frames: readonly Relevance[] | null;
  /** Gradient of the scene's logit on the sound's input, such as [6, 128, 39] of log-mel features and their deltas. Null without sound. */
  readonly sound: Relevance | null;
}

/** Why a second of a stream was not judged: others were still being judged, or no picture came near its times. */
export type DropReason = 'busy' | 'pictures';

export interface ListenOptions {
  readonly signal?: AbortSignal;
  /** Called for each second that is not judged, with its number. */
  readonly onDropped?: (second: number, reason: DropReason) => void;
}

/** What is said of a second of a stream. */
export type Heard<Result> = Result & {
  /** What was judged, for `explain` or to be shown. */
  readonly input: SceneInput;
  /** Number of the second, from 0, where listening began. */
  readonly second: number;
  /** Seconds that were not judged since the last result. */
  readonly dropped: number;
};

export type ListenResult = Heard<SceneResult>;
