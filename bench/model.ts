import { DENSENET161, DenseNet, DenseNetExtractor } from '../src/avsc/models/densenet.ts';
import { preset } from '../src/avsc/experiment/presets.ts';
import { Fcnn } from '../src/avsc/models/fcnn.ts';
import { AudioNet, JointNet } from '../src/avsc/models/joint.ts';
import { createModel, findStage, logitsOf } from '../src/avsc/training/model.ts';
import { arithmeticGflops, type Ceilings } from '../src/gpu/ceilings.ts';
import { Profiler, byLabel, type DispatchTime, type ProfileRow } from '../src/gpu/profiler.ts';
import {
  crossEntropy,
  manualSeed,
  PlanningDevice,
  type Device,
  type InputSpec,
  type PlanStatistics,
  type StepInput,
  type Tensor,
} from '../src/index.ts';
import { Adam } from '../src/nn/optim/index.ts';
import { elementCount } from '../src/tensor/graph/shape.ts';
import type { Precision } from '../src/tensor/graph/recording.ts';
import type { Plan } from '../src/tensor/plan/plan.ts';
import type { Target } from '../src/gpu/profile.ts';
import { median } from './report.ts';

export const MODELS = ['fcnn', 'densenet161', 'joint', 'small'] as const;
export type ModelName = (typeof MODELS)[number];

/** Plan statistics of a training step (forward, backward, Adam). */
export interface ModelPlan {
  readonly model: ModelName;
  readonly batch: number;
  readonly parameters: number;
  readonly plan: PlanStatistics;
  /** The same step without fusion. */
  readonly unfused: PlanStatistics;
}

/** Measurements of the step. */
interface ModelResult extends ModelPlan {
  /** True if the timed step is the fused one. */
  readonly fusion: boolean;
  /** Time of the first step, including tracing, planning and compiling. */
  readonly firstStepSeconds: number;
  /** Median time of the steps after the first. */
  readonly stepMilliseconds: number;
  readonly gflops: number;
  readonly submits: number;
  /** Of a step's commands on the host, without tracing or planning: the median. */
  readonly encodeMilliseconds: number;
  /** Share of a step's time in which the device computes: the sum of its dispatches by the step's time; null without timestamps. */
  readonly busy: number | null;
  readonly bytesHeld: number;
  readonly bytesPeak: number;
  readonly loss: number;
  /** Kernels by time, if the device has timestamps. */
  readonly kernels: readonly (ProfileRow & Floor)[];
  /** Every dispatch of a step, in order. */
  readonly dispatches: readonly (DispatchTime & Floor)[];
}

interface Floor {
  /** Time of the arithmetic or of the bytes at the device's measured ceilings, whichever is longer. */
  readonly floorMilliseconds: number;
}

const CLASSES = 10;
const ENCODINGS = 20;

interface Training {
  readonly step: (...inputs: Tensor[]) => Tensor;
  readonly specs: readonly InputSpec[];
  readonly parameters: number;
  dispose(): void;
}

/** A net at its full size, with Adam. Pictures are 224 x 224 (48 x 48 for `small`). */
export function prepare(device: Device | PlanningDevice, model: ModelName, batch: number): Training {
  manualSeed(1);
  const { net, shapes } = build(model, batch);
  net.to(device).train();
  const parameters = net.parameters();
  const adam = new Adam(parameters, { lr: 1e-4, weightDecay: 1e-5 });
  return {
    step: (...tensors) => {
      adam.zeroGrad();
      const labels = tensors.at(-1);
      if (labels === undefined) throw new Error('a step needs labels');
      const loss = crossEntropy(net.logits(tensors.slice(0, -1)), labels);
      loss.backward();
      adam.step();
      return loss;
    },
    specs: [...shapes.map((shape) => ({ shape, dtype: 'f32' }) as const), { shape: [batch], dtype: 'i32' }],
    parameters: parameters.reduce((sum, { numel }) => sum + numel, 0),
    dispose: () => {
      net.dispose();
    },
  };
}

/** Inputs of a step: noise, and labels. */
export const feedsOf = ({ specs }: Training, batch: number): StepInput[] =>
  specs.map(({ shape, dtype }) => ({
    shape,
    data:
      dtype === 'f32'
        ? noise(elementCount(shape))
        : Int32Array.from({ length: batch }, (_, i) => i % CLASSES),
  }));

/** Plans a training step with no device at all, so that it may be for any adapter and of any size. */
export function planModel(
  target: Target,
  model: ModelName,
  batch: number,
  options: { readonly precision?: Precision; readonly onPlan?: (plan: Plan) => void } = {},
): ModelPlan {
  const device = new PlanningDevice(target);
  const { step, specs, parameters } = prepare(device, model, batch);
  return {
    model,
    batch,
    parameters,
    plan: device.plan(step, specs, { ...options, fusion: true }),
    unfused: device.plan(step, specs, { ...options, onPlan: () => undefined, fusion: false }),
  };
}

/** Times `steps` training steps of a net. */
export async function benchModel(
  device: Device,
  model: ModelName,
  batch: number,
  steps: number,
  ceilings: Ceilings,
  precision: Precision,
): Promise<ModelResult> {
  const { plan, unfused, parameters } = planModel(device.runtime.target, model, batch, { precision });
  const training = prepare(device, model, batch);
  const step = device.compile(training.step, { precision });
  const feeds = feedsOf(training, batch);
  const begin = performance.now();
  let loss = await (await step(...feeds)).item();
  const firstStepSeconds = (performance.now() - begin) / 1e3;
  const before = device.counters;
  const times: number[] = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    const result = await step(...feeds);
    await device.gpu.idle();
    times.push(performance.now() - start);
    if (i === steps - 1) loss = await result.item();
  }
  const after = device.counters;
  const dispatches = (await profile(device, () => step(...feeds), step)).map((time) => ({
    ...time,
    floorMilliseconds: floorOf(time, ceilings),
  }));
  const stepMilliseconds = median(times);
  const encodeMilliseconds = await timeEncoding(device, (encoder) => step.encode(encoder, ...feeds));
  const result: ModelResult = {
    model,
    batch,
    parameters,
    plan,
    unfused,
    firstStepSeconds,
    stepMilliseconds,
    fusion: device.fusion,
    gflops: (device.fusion ? plan : unfused).flops / stepMilliseconds / 1e6,
    submits: Math.floor((after.submits - before.submits) / steps),
    encodeMilliseconds,
    busy:
      dispatches.length === 0
        ? null
        : sum(dispatches.map(({ milliseconds }) => milliseconds)) / stepMilliseconds,
    bytesHeld: after.bytesHeld,
    bytesPeak: after.bytesPeak,
    loss,
    kernels: byLabel(dispatches).map((row) => ({
      ...row,
      floorMilliseconds: sum(
        dispatches.filter(({ label }) => label === row.label).map((one) => one.floorMilliseconds),
      ),
    })),
    dispatches,
  };
  step.dispose();
  training.dispose();
  return result;
}

/** Times the encoding of commands that are not submitted. */
async function timeEncoding(
  device: Device,
  encode: (encoder: GPUCommandEncoder) => unknown,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ENCODINGS; i++) {
    const encoder = device.gpu.device.createCommandEncoder();
    const start = performance.now();
    encode(encoder);
    encoder.finish();
    times.push(performance.now() - start);
    await device.sync();
  }
  return median(times);
}

async function profile(
  device: Device,
  run: () => Promise<unknown>,
  step: { profile(profiler: Profiler | undefined): void },
): Promise<DispatchTime[]> {
  if (!Profiler.supports(device.gpu)) return [];
  const profiler = new Profiler(device.gpu);
  step.profile(profiler);
  await run();
  step.profile(undefined);
  const times = await profiler.times();
  profiler.destroy();
  return times;
}

const floorOf = ({ flops, units, bytes }: DispatchTime, ceilings: Ceilings): number =>
  Math.max(flops / arithmeticGflops(units ?? null, ceilings), bytes / ceilings.copyGBps) / 1e6;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function build(model: ModelName, batch: number) {
  const small = preset('small');
  const side = model === 'small' ? small.imageSize : 224;
  const audioShape = [batch, 6, 128, 39];
  const imageShape = [batch, 3, side, side];
  const videoShape = [batch, 2, 3, side, side];
  switch (model) {
    case 'fcnn': {
      const net = new AudioNet(new Fcnn({ features: 512 }), CLASSES);
      return { net: withLogits(net, (list) => net.forward(first(list))), shapes: [audioShape] };
    }
    case 'densenet161': {
      const net = new DenseNet(DENSENET161, CLASSES);
      return { net: withLogits(net, (list) => net.forward(first(list))), shapes: [imageShape] };
    }
    case 'joint': {
      const net = new JointNet(new Fcnn({ features: 512 }), new DenseNetExtractor(DENSENET161), CLASSES);
      return {
        net: withLogits(net, (list) => net.forward(first(list), first(list.slice(1)))),
        shapes: [audioShape, videoShape],
      };
    }
    case 'small': {
      const joint = createModel(small, findStage(small, 'joint'));
      const logits = (list: readonly Tensor[]): Tensor =>
        logitsOf(joint, { audio: first(list), video: first(list.slice(1)) });
      return { net: withLogits(joint.net, logits), shapes: [audioShape, videoShape] };
    }
  }
}

const withLogits = <M extends object>(
  net: M,
  logits: (inputs: readonly Tensor[]) => Tensor,
): M & { logits: typeof logits } => Object.assign(net, { logits });

function first(list: readonly Tensor[]): Tensor {
  const [tensor] = list;
  if (tensor === undefined) throw new Error('a net lacks an input');
  return tensor;
}

const noise = (length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898));
