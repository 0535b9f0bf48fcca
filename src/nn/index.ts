/** Modules, as `nn` of the engine: `import { nn } from 'wavelight'`. */
export { Layer, Module, type LoadOptions } from './module.ts';
export { Parameter, Statistic, type Init, type ModuleTensor } from './parameter.ts';
export type { HostTensor, LoadReport, StateDict } from './state.ts';
export { Conv2d, type Conv2dLayerOptions } from './layers/conv.ts';
export { Linear, type LinearOptions } from './layers/linear.ts';
export { BatchNorm2d, type BatchNorm2dOptions } from './layers/norm.ts';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d } from './layers/pool.ts';
export { Sequential } from './layers/sequential.ts';
export { Dropout, Flatten, Identity, LeakyReLU, ReLU } from './layers/simple.ts';
export * as init from './init.ts';
export { openCheckpoint } from './checkpoint/open.ts';
export type { CheckpointSource } from './checkpoint/given.ts';
export type { OpenOptions, Progress } from './checkpoint/options.ts';
export { clearCheckpointCache } from './checkpoint/http/clear.ts';
export type { CheckpointFile, CheckpointFormat, CheckpointTensor } from './checkpoint/checkpoint.ts';
export { blobSource, bytesSource, type ByteSource } from './checkpoint/source.ts';
export {
  readSafetensors,
  readSafetensorsHeader,
  safetensorsPieces,
  writeSafetensors,
} from './checkpoint/safetensors/file.ts';
export type {
  Safetensors,
  SafetensorsEntry,
  SafetensorsHeader,
  WritableTensor,
} from './checkpoint/safetensors/file.ts';
export { exportOnnx, type OnnxInput, type OnnxModel, type OnnxOptions } from './onnx/export.ts';
