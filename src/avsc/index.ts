/**
 * The scene classifier, as `wavelight/avsc`: nets, features, training and metrics. Everything here runs in a browser; files,
 * decoding and the command line do not belong to it.
 *
 * @module wavelight/avsc
 */
export { toStereo, secondsOf, SAMPLE_RATE, type Stereo } from './audio/clip.ts';
export { resample } from './audio/resample.ts';
export { decodeWav, encodeWav, type Wav } from './audio/wav.ts';
export {
  FEATURE_CHANNELS,
  FRAMES_PER_SECOND,
  LogMelExtractor,
  logMelFeatures,
  MELS,
  type LogMelFeatures,
  type LogMelRange,
  type Scaling,
} from './features/logmel.ts';
export type { InputName, SoundInputName } from './features/inputs.ts';
export type { PictureInput } from './features/pictures.ts';
export { makeCamera, type Camera } from './synth/picture.ts';
export { SCENE_RULES, type PictureFamily, type SceneRule, type SoundFamily } from './synth/rules.ts';
export { makeSound } from './synth/sound.ts';
export { SCENES, sceneIndex, type Scene } from './dataset/scenes.ts';
export { CNN1D, Cnn1d, Cnn1dExtractor, type Cnn1dConfig } from './models/cnn1d.ts';
export {
  DENSENET121,
  DENSENET161,
  DenseNet,
  DenseNetExtractor,
  type DenseNetConfig,
} from './models/densenet.ts';
export type { Extractor } from './models/extractor.ts';
export { Fcnn, FCNN_SMALL, type FcnnConfig } from './models/fcnn.ts';
export { BaselineFusion, BaselineHead, BaselineStem } from './models/heads/baseline.ts';
export { HybridFusion } from './models/heads/hybrid.ts';
export { FusionMlp } from './models/heads/mlp.ts';
export { OPENL3_AUDIO, OPENL3_IMAGE, OpenL3, OpenL3Extractor, type OpenL3Config } from './models/openl3.ts';
export { RESNEST50, ResNest, ResNestExtractor, type ResNestConfig } from './models/resnest.ts';
export {
  RESNET18,
  RESNET50,
  RESNET50_AUDIO,
  RESNET50_BOTTOM,
  ResNet,
  ResNetExtractor,
  type ResNetConfig,
} from './models/resnet.ts';
export {
  SQUEEZENET1_1,
  SqueezeNet,
  SqueezeNetExtractor,
  type FireWidths,
  type SqueezeNetConfig,
} from './models/squeezenet.ts';
export {
  AudioNet,
  JointNet,
  VideoNet,
  type Frozen,
  type FusionKind,
  type HeadKind,
  type JointNetOptions,
  type Mix,
  type Modality,
  type UnimodalNetOptions,
} from './models/joint.ts';
export type { FeaturePolicy } from './augment/features/policy.ts';
export type { RatioPolicy } from './augment/features/mix.ts';
export type { MagnitudeScale, PictureOperationName } from './augment/pictures/operation.ts';
export type { PicturePolicy } from './augment/pictures/policy.ts';
export type { Augmentation, Mixup } from './experiment/augmentation.ts';
export {
  resultKey,
  resultStages,
  type AdamConfig,
  type Experiment,
  type GivenWeightsRule,
  type Limits as ExperimentLimits,
  type NetSpec,
  type Phase,
  type ResultSpec,
  type ScheduleConfig,
  type SgdConfig,
  type StageModel,
  type StageSpec,
} from './experiment/experiment.ts';
export { preset, PRESET_NAMES, scheduleOf, type PresetName } from './experiment/presets.ts';
export { readExperiment } from './experiment/read.ts';
export { writeExperiment } from './experiment/write.ts';
export {
  createModel,
  findStage,
  logitsOf,
  pictureInput,
  type ModelInputs,
  type SceneModel,
} from './training/model.ts';
export { type InputPlan, type PartInput, type SampleData, type TrainingData } from './training/inputs.ts';
export {
  createPredictor,
  createTrainer,
  type Predictor,
  type TrainedStep,
  type Trainer,
} from './training/trainer.ts';
export { measure, softmaxRows, type ClassMetrics, type Metrics } from './training/metrics.ts';
export {
  ARCHITECTURE_NAMES,
  type Architecture,
  type ArchitectureName,
  type SoundInput,
} from './weights/architecture.ts';
export { ARCHITECTURES, findArchitecture } from './weights/architectures.ts';
export { adaptBaselineFusion, adaptBaselineHead, type BaselineFiles } from './weights/baseline.ts';
export { classifyPictures } from './weights/classify.ts';
export {
  formatReport,
  importWeights,
  readStateDict,
  type ImportedWeights,
  type ImportOptions,
  type ImportReport,
  type WrongShape,
} from './weights/import.ts';
export { readNpy } from './weights/npy.ts';
export { parseCategories } from './weights/places365.ts';
export { MEAN_IMAGE, zeroMeanImage } from './weights/squeezenet.ts';
export { squashPicture, type Pixels } from './features/resize.ts';
export { SceneClassifier } from './classifier/classifier.ts';
export type { SceneTeacher } from './classifier/teach/teacher.ts';
export type { SceneTraining } from './classifier/teach/training.ts';
export type { TaughtPlace, TaughtSecond, TeachOptions, TeachProgress } from './classifier/teach/types.ts';
export { PlaceClassifier, type PlaceOptions, type PlaceResult } from './classifier/place-classifier.ts';
export type { PictureBytes, SceneImages, ScenePicture } from './classifier/pictures.ts';
export type { SceneAudio } from './classifier/sound.ts';
export type {
  DropReason,
  ExplainOptions,
  Explanation,
  Heard,
  ListenOptions,
  ListenResult,
  LoadOptions,
  Relevance,
  SceneInput,
  SceneRecording,
  SceneResult,
  StageTimes,
} from './classifier/types.ts';
