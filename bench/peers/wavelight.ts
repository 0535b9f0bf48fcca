import { DenseNet } from '../../src/avsc/models/densenet.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { measureCeilings, type Ceilings } from '../../src/gpu/ceilings.ts';
import {
  batchNorm2d,
  concat,
  conv2d,
  crossEntropy,
  matmul,
  mean,
  mul,
  noGrad,
  relu,
  type Device,
  type TypedArray,
} from '../../src/index.ts';
import type { Conv2dExtent, Pair } from '../../src/kernels/conv_problem.ts';
import { Adam } from '../../src/nn/optim/index.ts';
import { NodeDevice } from '../../src/node/device.ts';
import { recordOne } from '../../src/tensor/graph/op.ts';
import { Tensor } from '../../src/tensor/graph/tensor.ts';
import { conv2dDataOp, conv2dWeightOp } from '../../src/tensor/ops/conv.ts';
import { hashWeight } from '../../test/support/hash_weights.ts';
import { ADAM, CHECKED_STEPS, type Description, type Job, type Opening, type Peer } from './protocol.ts';
import { netOf } from './shapes.ts';
import {
  valuesOf,
  type ConvWork,
  type DenseWork,
  type NetWork,
  type ProductWork,
  type TensorSpec,
  type Work,
} from './work.ts';

/** wavelight's description, which includes the device's ceilings. */
export interface OwnDescription extends Description {
  readonly kind: 'gpu' | 'cpu';
  readonly ceilings: Ceilings;
}

export async function openWavelight({ device: choice, version }: Opening): Promise<Peer> {
  const device = await NodeDevice.create({ adapter: choice, profile: 'fast' });
  let dispatches = 0;
  const count = (more: number): void => {
    dispatches += more;
  };
  return {
    describe: async (): Promise<OwnDescription> => ({
      version,
      adapter: device.description.name,
      kind: device.description.kind,
      notes: [],
      ceilings: await measureCeilings(device.gpu),
    }),
    prepare: (work) => Promise.resolve(jobOf(device, work, count)),
    counts: () => ({ dispatches, submits: device.counters.submits }),
  };
}

function jobOf(device: Device, work: Work, count: (dispatches: number) => void): Job {
  switch (work.kind) {
    case 'conv':
      return convJob(device, work, count);
    case 'product':
      return productJob(device, work, count);
    case 'dense':
      return denseJob(device, work, count);
    case 'net':
      return netJob(device, work, count);
  }
}

function convJob(device: Device, work: ConvWork, count: (dispatches: number) => void): Job {
  const { x, weight, stride, padding } = work;
  return kernelJob(device, [x, weight], count, (a, b) => conv2d(a, b, null, { stride, padding }));
}

function productJob(device: Device, work: ProductWork, count: (dispatches: number) => void): Job {
  const { a, b, of, output } = work;
  if (of === 'matmul') return kernelJob(device, [a, b], count, matmul);
  const op = of === 'data' ? conv2dDataOp : conv2dWeightOp;
  const extent = extentOf(work);
  return kernelJob(device, [a, b], count, (dy, other) =>
    recordOne(op, [dy, other], { shape: output }, extent),
  );
}

/** Of the convolution whose gradient the work is. */
function extentOf({ a, b, of, output, stride, padding }: ProductWork): Conv2dExtent {
  const [x, weight] = of === 'data' ? [output, b.shape] : [b.shape, output];
  const [images = 0, inChannels = 0, height = 0, width = 0] = x;
  const [outChannels = 0, , ky = 0, kx = 0] = weight;
  const [, , outHeight = 0, outWidth = 0] = a.shape;
  const both = (value: number): Pair => ({ y: value, x: value });
  return {
    images,
    inChannels,
    outChannels,
    groups: 1,
    input: { y: height, x: width },
    output: { y: outHeight, x: outWidth },
    kernel: { y: ky, x: kx },
    stride: both(stride),
    padding: both(padding),
    dilation: both(1),
  };
}

/** Runs an op of two tensors. */
function kernelJob(
  device: Device,
  operands: readonly [TensorSpec, TensorSpec],
  count: (dispatches: number) => void,
  compute: (a: Tensor, b: Tensor) => Tensor,
): Job {
  const [x, weight] = [upload(device, operands[0]), upload(device, operands[1])];
  let kept: Tensor | undefined;
  const step = device.compile(() => {
    const y = compute(x, weight);
    // A handle outside the step's scope keeps the output in place; returning the output would copy it.
    kept = new Tensor(device, y.value);
  });
  const run = async (steps: number): Promise<void> => {
    for (let i = 0; i < steps; i++) await step();
    await device.gpu.idle();
    count(steps * step.statistics().dispatches);
  };
  return {
    check: async () => {
      await run(1);
      if (kept === undefined) throw new Error('the op was not recorded');
      return { losses: [], tensors: [asFloats(await kept.data())] };
    },
    run,
    dispose: () => {
      step.dispose();
      for (const tensor of [x, weight, kept]) tensor?.dispose();
      return device.sync();
    },
  };
}

function denseJob(device: Device, work: DenseWork, count: (dispatches: number) => void): Job {
  const x = upload(device, work.x);
  const parameters = work.parameters.map((spec) => upload(device, spec, true));
  return trainingJob(device, {
    parameters,
    forward: () => denseBlock(x, parameters),
    lossOf: (y) => mean(mul(y, y)),
    count,
    dispose: () => {
      for (const tensor of [x, ...parameters]) tensor.dispose();
    },
  });
}

function netJob(device: Device, work: NetWork, count: (dispatches: number) => void): Job {
  const net = netOf(work);
  const weights = [...net.namedTensors()].map(([key, { shape }]) => {
    return [key, { shape, data: hashWeight(key, shape) }] as const;
  });
  net.loadStateDict(new Map(weights));
  net.to(device).train();
  const inputs = work.inputs.map((spec) => upload(device, spec));
  const [batch = 0] = work.output;
  const labels = device.tensor(Int32Array.from({ length: batch }, (_, i) => i % work.classes));
  return trainingJob(device, {
    parameters: net.parameters(),
    forward: () => {
      const [first, second] = inputs;
      if (first === undefined) throw new Error('a net needs an input');
      if (net instanceof JointNet && second !== undefined) return net.forward(first, second);
      if (net instanceof DenseNet) return net.forward(first);
      throw new Error('a joint net needs two inputs');
    },
    lossOf: (logits) => crossEntropy(logits, labels),
    count,
    dispose: () => {
      net.dispose();
      for (const tensor of [labels, ...inputs]) tensor.dispose();
    },
  });
}

interface Training {
  readonly parameters: readonly Tensor[];
  readonly forward: () => Tensor;
  readonly lossOf: (output: Tensor) => Tensor;
  readonly count: (dispatches: number) => void;
  readonly dispose: () => void;
}

function trainingJob(device: Device, { parameters, forward, lossOf, count, dispose }: Training): Job {
  const adam = new Adam(parameters, ADAM);
  const step = device.compile(() => {
    adam.zeroGrad();
    const loss = lossOf(forward());
    loss.backward();
    adam.step();
    return loss;
  });
  const stepOnce = async (): Promise<Tensor> => {
    const loss = await step();
    count(step.statistics().dispatches);
    return loss;
  };
  return {
    check: async () => {
      const output = noGrad(forward);
      const tensors = [asFloats(await output.data())];
      output.dispose();
      const losses = [await (await stepOnce()).item()];
      for (const { grad } of parameters) {
        if (grad === null) throw new Error('a parameter got no gradient');
        tensors.push(asFloats(await grad.data()));
      }
      while (losses.length < CHECKED_STEPS) losses.push(await (await stepOnce()).item());
      return { losses, tensors };
    },
    run: async (steps) => {
      for (let i = 0; i < steps; i++) await stepOnce();
      await device.gpu.idle();
    },
    dispose: () => {
      step.dispose();
      for (const parameter of parameters) parameter.clearGrad();
      dispose();
      return device.sync();
    },
  };
}

/** The dense block of the classifier's model, without running statistics. */
function denseBlock(x: Tensor, parameters: readonly Tensor[]): Tensor {
  const normed = (input: Tensor, weight?: Tensor, bias?: Tensor): Tensor =>
    relu(batchNorm2d(input, { weight: weight ?? null, bias: bias ?? null, training: true }));
  let seen = x;
  for (let i = 0; i < parameters.length; i += 6) {
    const [weight1, bias1, narrow, weight2, bias2, grow] = parameters.slice(i, i + 6);
    if (narrow === undefined || grow === undefined) throw new Error('a layer has six parameters');
    const middle = conv2d(normed(seen, weight1, bias1), narrow);
    seen = concat([seen, conv2d(normed(middle, weight2, bias2), grow, null, { padding: 1 })], 1);
  }
  return seen;
}

const upload = (device: Device, spec: TensorSpec, requiresGrad = false): Tensor =>
  device.tensor(valuesOf(spec), spec.shape, { requiresGrad });

function asFloats(data: TypedArray): Float32Array {
  if (!(data instanceof Float32Array)) throw new TypeError('f32 was expected');
  return data;
}
