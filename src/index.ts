/**
 * The engine: tensors, operations, modules, optimisers. Runs wherever there is a GPUDevice.
 *
 * @module wavelight
 */
import './tensor/methods.ts';

export {
  Device,
  DeviceLostError,
  type DeviceOptions,
  type TensorBuffer,
  type TensorOptions,
} from './tensor/device.ts';
export type { FromBufferOptions } from './tensor/foreign.ts';
export type { CompiledFunction, CompiledPlanOptions, CompileOptions } from './tensor/compile.ts';
export type { StepInput, StepResult } from './tensor/trace.ts';
export type { PixelOptions, PixelSize, Rectangle } from './tensor/pixels/options.ts';
export type { ExternalPixels, PixelBytes, PixelSource } from './tensor/pixels/sources.ts';
export type { DrawOptions, TextureOptions } from './tensor/pixels/to_texture.ts';
export type { LossScale, LossScaleState } from './tensor/graph/loss_scale.ts';
export type { RecordingDevice } from './tensor/graph/recording_device.ts';
export { PlanningDevice } from './tensor/planning_device.ts';
export {
  PROFILES,
  type AdapterProfile,
  type Description as AdapterDescription,
  type MatrixConfig,
  type SubgroupSizes,
  type Target,
  type WorkBudget,
} from './gpu/profile.ts';
export type { ChoiceRecord, TunedProduct, TunedProducts } from './gpu/tuned.ts';
export type { Counts as DeviceCounts } from './gpu/counters.ts';
export type { InputSpec, PlanOptions } from './tensor/trace.ts';
export type { PlanStatistics } from './tensor/plan/statistics.ts';
export { Tensor } from './tensor/graph/tensor.ts';
export type { HostDType, TypedArray } from './tensor/graph/dtype.ts';
export type { NestedNumbers } from './tensor/graph/host_data.ts';
export type { Shape } from './tensor/graph/shape.ts';
export type { DType } from './gpu/dispatch.ts';
export { noGrad, type BackwardOptions } from './tensor/graph/autograd.ts';
export { gradcheck, type GradcheckOptions, type GradcheckResult } from './tensor/gradcheck.ts';
export { manualSeed } from './tensor/graph/random.ts';
export * from './tensor/ops/index.ts';
export { adaptiveAvgPool2d, avgPool2d, batchNorm2d, concat, stack } from './tensor/fusing_ops.ts';
export * as nn from './nn/index.ts';
export * as optim from './nn/optim/index.ts';
