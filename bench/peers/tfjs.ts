import { openPage } from './dawn.ts';
import { ADAM, CHECKED_STEPS, type Job, type Opening, type Peer } from './protocol.ts';
import { valuesOf, type ConvWork, type DenseWork, type ProductWork, type TensorSpec } from './work.ts';

/** The part of @tensorflow/tfjs that is used. The package is installed separately, so its types are not available. */
interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  getBackend(): string;
  backend(): { ensureCommandEncoderReady(): void; endComputePassEncoder(): void; submitQueue(): void };
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  engine(): { runKernel(name: string, inputs: object, attrs: object): TfTensor };
  tensor(data: Float32Array, shape: readonly number[]): TfTensor;
  variable(initial: TfTensor): TfTensor;
  transpose(x: TfTensor, order: readonly number[]): TfTensor;
  conv2d(x: TfTensor, kernels: TfTensor, stride: number, padding: number | 'valid' | 'same'): TfTensor;
  moments(x: TfTensor, axes: readonly number[]): { mean: TfTensor; variance: TfTensor };
  batchNorm(
    x: TfTensor,
    mean: TfTensor,
    variance: TfTensor,
    offset: TfTensor,
    scale: TfTensor,
    eps: number,
  ): TfTensor;
  relu(x: TfTensor): TfTensor;
  concat(parts: readonly TfTensor[], axis: number): TfTensor;
  square(x: TfTensor): TfTensor;
  mean(x: TfTensor): TfTensor;
  tidy<T>(fn: () => T): T;
  dispose(tensors: unknown): void;
  variableGrads(
    f: () => TfTensor,
    variables: readonly TfTensor[],
  ): { value: TfTensor; grads: Record<string, TfTensor> };
  readonly train: { adam(lr: number, beta1: number, beta2: number, eps: number): TfOptimizer };
}

interface TfTensor {
  readonly name: string;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface TfOptimizer {
  applyGradients(gradients: Record<string, TfTensor>): void;
  minimize(f: () => TfTensor, returnCost: true, variables: readonly TfTensor[]): TfTensor;
  dispose(): void;
}

/**
 * TensorFlow.js on its WebGPU backend, in NHWC, the layout for which its kernels have gradients. Dawn validates as in a
 * browser, because without validation tfjs' MatMulSmallOutputSizeProgram gives NaN.
 */
export async function openTfjs({ device: choice, version }: Opening): Promise<Peer> {
  const page = await openPage(choice, 'checked');
  const { default: tf } = (await importPeer('@tensorflow/tfjs')) as { default: Tf };
  await importPeer('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs does not accept this adapter');
  await tf.ready();
  // Submits the commands still in the backend's encoder, as reading a tensor would.
  const idle = (): Promise<undefined> => {
    const backend = tf.backend();
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    return page.device().queue.onSubmittedWorkDone();
  };
  return {
    describe: () =>
      Promise.resolve({
        version,
        adapter: page.adapter(),
        notes: [`backend ${tf.getBackend()}, NHWC, checked by Dawn as in a browser`],
      }),
    prepare: (work) => {
      if (work.kind === 'net') throw new Error('tfjs is not asked for whole nets');
      if (work.kind === 'dense') return Promise.resolve(denseJob(tf, idle, work));
      return Promise.resolve(work.kind === 'conv' ? convJob(tf, idle, work) : productJob(tf, idle, work));
    },
    counts: () => page.counts,
  };
}

/** Imports a package by a name that the compiler does not resolve, because the package may be missing. */
const importPeer = (name: string): Promise<unknown> => import(name);

function convJob(tf: Tf, idle: () => Promise<undefined>, work: ConvWork): Job {
  return kernelJob(tf, idle, [work.x, work.weight], readNchw, (x, weight) =>
    tf.conv2d(x, weight, work.stride, work.padding),
  );
}

/** The kernels that tfjs' own gradients run. */
function productJob(tf: Tf, idle: () => Promise<undefined>, work: ProductWork): Job {
  const { of, a, b, output } = work;
  const settings = { strides: work.stride, pad: work.padding, dataFormat: 'NHWC' };
  const [n, c, h, w] = output;
  switch (of) {
    case 'matmul':
      return kernelJob(
        tf,
        idle,
        [a, b],
        (_, y) => y.data(),
        (x, y) => tf.matMul(x, y),
      );
    case 'data':
      return kernelJob(tf, idle, [a, b], readNchw, (dy, filter) =>
        tf
          .engine()
          .runKernel('Conv2DBackpropInput', { dy, filter }, { ...settings, inputShape: [n, h, w, c] }),
      );
    case 'weight':
      return kernelJob(tf, idle, [a, b], readOihw, (dy, x) =>
        tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, { ...settings, filterShape: [h, w, c, n] }),
      );
  }
}

function kernelJob(
  tf: Tf,
  idle: () => Promise<undefined>,
  operands: readonly [TensorSpec, TensorSpec],
  read: (tf: Tf, y: TfTensor) => Promise<Float32Array>,
  compute: (a: TfTensor, b: TfTensor) => TfTensor,
): Job {
  const [x, weight] = [place(tf, operands[0]), place(tf, operands[1])];
  const conv = (): TfTensor => compute(x, weight);
  return {
    check: async () => {
      const y = conv();
      const tensors = [await read(tf, y)];
      y.dispose();
      return { losses: [], tensors };
    },
    run: async (steps) => {
      for (let i = 0; i < steps; i++) conv().dispose();
      await idle();
    },
    dispose: async () => {
      tf.dispose([x, weight]);
      await idle();
    },
  };
}

function denseJob(tf: Tf, idle: () => Promise<undefined>, work: DenseWork): Job {
  const x = place(tf, work.x);
  const parameters = work.parameters.map((spec) => {
    const initial = place(tf, spec);
    const variable = tf.variable(initial);
    initial.dispose();
    return variable;
  });
  const adam = tf.train.adam(ADAM.lr, ...ADAM.betas, ADAM.eps);
  const loss = (): TfTensor => tf.mean(tf.square(denseBlock(tf, x, parameters)));
  const step = (): TfTensor => tf.tidy(() => adam.minimize(loss, true, parameters));
  return {
    check: async () => {
      const output = tf.tidy(() => denseBlock(tf, x, parameters));
      const tensors = [await readNchw(tf, output)];
      // The steps of minimize(), with access to the gradients.
      const { value, grads } = tf.tidy(() => tf.variableGrads(loss, parameters));
      adam.applyGradients(grads);
      const losses = [await readScalar(value)];
      for (const [i, { name, shape }] of work.parameters.entries()) {
        const gradient = grads[parameters[i]?.name ?? ''];
        if (gradient === undefined) throw new Error(`tfjs gives no gradient of ${name}`);
        tensors.push(shape.length === 4 ? await readOihw(tf, gradient) : await gradient.data());
      }
      tf.dispose([output, grads]);
      while (losses.length < CHECKED_STEPS) losses.push(await readScalar(step()));
      return { losses, tensors };
    },
    run: async (steps) => {
      for (let i = 0; i < steps; i++) step().dispose();
      await idle();
    },
    dispose: async () => {
      adam.dispose();
      tf.dispose([x, parameters]);
      await idle();
    },
  };
}

function denseBlock(tf: Tf, x: TfTensor, parameters: readonly TfTensor[]): TfTensor {
  const normed = (input: TfTensor, weight: TfTensor, bias: TfTensor): TfTensor => {
    const { mean, variance } = tf.moments(input, [0, 1, 2]);
    return tf.relu(tf.batchNorm(input, mean, variance, bias, weight, 1e-5));
  };
  let seen = x;
  for (let i = 0; i < parameters.length; i += 6) {
    const [weight1, bias1, narrow, weight2, bias2, grow] = parameters.slice(i, i + 6);
    if (!weight1 || !bias1 || !narrow || !weight2 || !bias2 || !grow)
      throw new Error('a layer has six parameters');
    const middle = tf.conv2d(normed(seen, weight1, bias1), narrow, 1, 'valid');
    seen = tf.concat([seen, tf.conv2d(normed(middle, weight2, bias2), grow, 1, 'same')], 3);
  }
  return seen;
}

/** Uploads a tensor, converted from NCHW to NHWC or from OIHW to HWIO. */
function place(tf: Tf, spec: TensorSpec): TfTensor {
  return tf.tidy(() => {
    const tensor = tf.tensor(valuesOf(spec), spec.shape);
    if (spec.shape.length !== 4) return tensor;
    return tf.transpose(tensor, ['x', 'dy'].includes(spec.name) ? [0, 2, 3, 1] : [2, 3, 1, 0]);
  });
}

const readNchw = (tf: Tf, tensor: TfTensor): Promise<Float32Array> =>
  readTransposed(tf, tensor, [0, 3, 1, 2]);
const readOihw = (tf: Tf, tensor: TfTensor): Promise<Float32Array> =>
  readTransposed(tf, tensor, [3, 2, 0, 1]);

async function readScalar(tensor: TfTensor): Promise<number> {
  const [value = NaN] = await tensor.data();
  tensor.dispose();
  return value;
}

async function readTransposed(tf: Tf, tensor: TfTensor, order: readonly number[]): Promise<Float32Array> {
  const transposed = tf.transpose(tensor, order);
  const data = await transposed.data();
  transposed.dispose();
  return data;
}
