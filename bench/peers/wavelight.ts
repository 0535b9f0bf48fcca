import { measureCeilings, type Ceilings } from '../../src/gpu/ceilings.ts';
import {
  batchNorm2d,
  concat,
  conv2d,
  mean,
  mul,
  noGrad,
  relu,
  type Device,
  type TypedArray,
} from '../../src/index.ts';
import { Adam } from '../../src/nn/optim/index.ts';
import { NodeDevice } from '../../src/node/device.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { ADAM, CHECKED_STEPS, type Description, type Job, type Opening, type Peer } from './protocol.ts';
import { valuesOf, type ConvWork, type DenseWork, type TensorSpec } from './work.ts';

/** What the others are measured against also says what the device can do. */
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
    prepare: (work) =>
      Promise.resolve(work.kind === 'conv' ? convJob(device, work, count) : denseJob(device, work, count)),
    counts: () => ({ dispatches, submits: device.counters.submits }),
  };
}

function convJob(device: Device, work: ConvWork, count: (dispatches: number) => void): Job {
  const [x, weight] = [upload(device, work.x), upload(device, work.weight)];
  let kept: Tensor | undefined;
  const step = device.compile(() => {
    const y = conv2d(x, weight, null, { stride: work.stride, padding: work.padding });
    // A handle that the step's scope does not own keeps the output where it is made; to return it would copy it.
    kept = new Tensor(device, y.value, y.shape);
  });
  const run = async (steps: number): Promise<void> => {
    for (let i = 0; i < steps; i++) await step();
    await device.gpu.idle();
    count(steps * step.statistics().dispatches);
  };
  return {
    check: async () => {
      await run(1);
      if (kept === undefined) throw new Error('the convolution was not recorded');
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
  const adam = new Adam(parameters, ADAM);
  const step = device.compile(() => {
    adam.zeroGrad();
    const y = denseBlock(x, parameters);
    const loss = mean(mul(y, y));
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
      const output = noGrad(() => denseBlock(x, parameters));
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
      for (const tensor of [x, ...parameters]) {
        tensor.clearGrad();
        tensor.dispose();
      }
      return device.sync();
    },
  };
}

/** As the model of the classifier has it, without running statistics. */
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
