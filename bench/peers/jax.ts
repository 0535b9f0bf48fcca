import { openPage } from './dawn.ts';
import { ADAM, CHECKED_STEPS, type Job, type Opening, type Peer } from './protocol.ts';
import { valuesOf, type ConvWork, type DenseWork, type ProductWork, type TensorSpec } from './work.ts';

/** The part of @jax-js/jax that is used. A function consumes its arrays; `.ref` adds a reference, so that one can be kept. */
interface Jax {
  init(device: 'webgpu'): Promise<readonly string[]>;
  defaultDevice(device: 'webgpu'): unknown;
  jit<F>(f: F): F & { dispose(): void };
  valueAndGrad(f: (parameters: Arr[], x: Arr) => Arr): (parameters: Arr[], x: Arr) => [Arr, Arr[]];
  grad(f: (a: Arr, b: Arr, c: Arr) => Arr): (a: Arr, b: Arr, c: Arr) => Arr;
  blockUntilReady(tree: unknown): Promise<unknown>;
  readonly lax: {
    conv(x: Arr, kernels: Arr, strides: readonly number[], padding: readonly (readonly number[])[]): Arr;
  };
  readonly nn: { relu(x: Arr): Arr };
  readonly numpy: {
    array(data: Float32Array): Arr;
    zeros(shape: readonly number[]): Arr;
    matmul(x: Arr, y: Arr): Arr;
    sum(x: Arr): Arr;
    mean(x: Arr, axis?: readonly number[], options?: { keepdims: boolean }): Arr;
    square(x: Arr): Arr;
    sqrt(x: Arr): Arr;
    concatenate(parts: readonly Arr[], axis: number): Arr;
  };
}

interface Arr {
  readonly ref: Arr;
  readonly shape: readonly number[];
  reshape(shape: readonly number[]): Arr;
  add(other: Arr | number): Arr;
  sub(other: Arr | number): Arr;
  mul(other: Arr | number): Arr;
  div(other: Arr | number): Arr;
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** Parameters, Adam's two moments for each, and beta1^t and beta2^t. */
interface State {
  readonly parameters: Arr[];
  readonly first: Arr[];
  readonly second: Arr[];
  readonly powers: [Arr, Arr];
}

/** Resolves when the device has computed all arrays. */
type Finish = (tree: unknown) => Promise<void>;

/** jax-js on WebGPU. The whole step is one function under jit, as its documentation recommends. */
export async function openJax({ device: choice, version }: Opening): Promise<Peer> {
  const page = await openPage(choice, 'fast');
  const name = '@jax-js/jax';
  const jax = (await import(name)) as Jax;
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js does not accept this adapter');
  jax.defaultDevice('webgpu');
  // blockUntilReady alone submits the work and maps an empty copy, for which Dawn does not wait.
  const finish: Finish = async (tree) => {
    await jax.blockUntilReady(tree);
    await page.device().queue.onSubmittedWorkDone();
  };
  return {
    describe: () =>
      Promise.resolve({ version, adapter: page.adapter(), notes: ['jit, not checked by Dawn'] }),
    prepare: (work) => {
      if (work.kind === 'net') throw new Error('jax-js is not asked for whole nets');
      if (work.kind === 'dense') return Promise.resolve(denseJob(jax, work, finish));
      return Promise.resolve(
        work.kind === 'conv' ? convJob(jax, work, finish) : productJob(jax, work, finish),
      );
    },
    counts: () => page.counts,
  };
}

const place = (jax: Jax, spec: TensorSpec): Arr => jax.numpy.array(valuesOf(spec)).reshape(spec.shape);

function convJob(jax: Jax, work: ConvWork, finish: Finish): Job {
  return kernelJob(jax, [work.x, work.weight], convOf(jax, work), finish);
}

const convOf = (jax: Jax, { stride, padding }: Pick<ConvWork, 'stride' | 'padding'>) => {
  return (x: Arr, kernels: Arr): Arr => jax.lax.conv(x, kernels, [stride, stride], square(padding));
};

/** A gradient is that of sum(conv(x, kernels) * dy), whose forward pass nothing needs: jit leaves it out. */
function productJob(jax: Jax, work: ProductWork, finish: Finish): Job {
  const { of, a, b, output } = work;
  if (of === 'matmul') return kernelJob(jax, [a, b], (x, y) => jax.numpy.matmul(x, y), finish);
  const conv = convOf(jax, work);
  const gradient = jax.grad((wanted, other, dy) =>
    jax.numpy.sum((of === 'data' ? conv(wanted, other) : conv(other, wanted)).mul(dy)),
  );
  return kernelJob(jax, [a, b], (dy, other) => gradient(jax.numpy.zeros(output), other, dy), finish);
}

function kernelJob(
  jax: Jax,
  operands: readonly [TensorSpec, TensorSpec],
  compute: (a: Arr, b: Arr) => Arr,
  finish: Finish,
): Job {
  const [x, weight] = [place(jax, operands[0]), place(jax, operands[1])];
  const conv = jax.jit(compute);
  return {
    check: async () => ({ losses: [], tensors: [await conv(x.ref, weight.ref).data()] }),
    run: async (steps) => {
      // jax-js is lazy: nothing runs before it is awaited.
      const results = Array.from({ length: steps }, () => conv(x.ref, weight.ref));
      await finish(results);
      for (const result of results) result.dispose();
    },
    dispose: () => {
      for (const array of [x, weight]) array.dispose();
      conv.dispose();
      return Promise.resolve();
    },
  };
}

function denseJob(jax: Jax, work: DenseWork, finish: Finish): Job {
  const x = place(jax, work.x);
  const zeros = (): Arr[] => work.parameters.map(({ shape }) => jax.numpy.zeros(shape));
  let state: State = {
    parameters: work.parameters.map((spec) => place(jax, spec)),
    first: zeros(),
    second: zeros(),
    powers: [scalarOne(jax), scalarOne(jax)],
  };
  const lossOf = (parameters: Arr[], input: Arr): Arr =>
    jax.numpy.mean(jax.numpy.square(denseBlock(jax, input, parameters)));
  const gradients = jax.jit(jax.valueAndGrad(lossOf));
  const forward = jax.jit((parameters: Arr[], input: Arr) => denseBlock(jax, input, parameters));
  const step = jax.jit((before: State, input: Arr) => {
    const [loss, grads] = jax.valueAndGrad(lossOf)(
      before.parameters.map(({ ref }) => ref),
      input,
    );
    return { loss, after: adam(jax, before, grads) };
  });
  const shared = (): Arr[] => state.parameters.map(({ ref }) => ref);
  const advance = (): Arr => {
    const { loss, after } = step(state, x.ref);
    state = after;
    return loss;
  };
  return {
    check: async () => {
      const tensors = [await forward(shared(), x.ref).data()];
      const [value, grads] = gradients(shared(), x.ref);
      value.dispose();
      for (const gradient of grads) tensors.push(await gradient.data());
      const losses: number[] = [];
      while (losses.length < CHECKED_STEPS) losses.push((await advance().data())[0] ?? NaN);
      return { losses, tensors };
    },
    run: async (steps) => {
      for (let i = 0; i < steps; i++) {
        const loss = advance();
        // Awaiting the loss runs the whole step, because the outputs of one jitted function are computed together.
        await jax.blockUntilReady(loss);
        loss.dispose();
      }
      await finish(state);
    },
    dispose: () => {
      for (const array of [x, ...state.parameters, ...state.first, ...state.second, ...state.powers])
        array.dispose();
      for (const compiled of [gradients, forward, step]) compiled.dispose();
      return Promise.resolve();
    },
  };
}

const scalarOne = (jax: Jax): Arr => jax.numpy.array(Float32Array.of(1)).reshape([]);

/** optax's Adam, inside the jitted step, because jax-js has no optimiser on npm. */
function adam(jax: Jax, { parameters, first, second, powers }: State, grads: readonly Arr[]): State {
  const [beta1, beta2] = ADAM.betas;
  const power1 = powers[0].mul(beta1);
  const power2 = powers[1].mul(beta2);
  const after: State = { parameters: [], first: [], second: [], powers: [power1.ref, power2.ref] };
  const correction1 = power1.mul(-1).add(1);
  const correction2 = power2.mul(-1).add(1);
  grads.forEach((gradient, i) => {
    const [p, m, v] = [parameters[i], first[i], second[i]];
    if (!p || !m || !v) throw new Error('a gradient without a parameter');
    const m1 = m.mul(beta1).add(gradient.ref.mul(1 - beta1));
    const v1 = v.mul(beta2).add(jax.numpy.square(gradient).mul(1 - beta2));
    const divisor = jax.numpy.sqrt(v1.ref.div(correction2.ref)).add(ADAM.eps);
    after.parameters.push(p.sub(m1.ref.div(correction1.ref).div(divisor).mul(ADAM.lr)));
    after.first.push(m1);
    after.second.push(v1);
  });
  correction1.dispose();
  correction2.dispose();
  return after;
}

function denseBlock(jax: Jax, x: Arr, parameters: readonly Arr[]): Arr {
  let seen = x;
  for (let i = 0; i < parameters.length; i += 6) {
    const [weight1, bias1, narrow, weight2, bias2, grow] = parameters.slice(i, i + 6);
    if (!weight1 || !bias1 || !narrow || !weight2 || !bias2 || !grow)
      throw new Error('a layer has six parameters');
    const middle = jax.lax.conv(normed(jax, seen.ref, weight1, bias1), narrow, [1, 1], square(0));
    const made = jax.lax.conv(normed(jax, middle, weight2, bias2), grow, [1, 1], square(1));
    seen = jax.numpy.concatenate([seen, made], 1);
  }
  return seen;
}

const square = (padding: number): number[][] => [
  [padding, padding],
  [padding, padding],
];

/** ReLU of batch norm. The variance is the mean of squared differences from the mean, as in the other engines. */
function normed(jax: Jax, x: Arr, weight: Arr, bias: Arr): Arr {
  const channels = [1, weight.shape[0] ?? 0, 1, 1];
  const mean = (values: Arr): Arr => jax.numpy.mean(values, [0, 2, 3], { keepdims: true });
  const centred = x.ref.sub(mean(x));
  const deviation = jax.numpy.sqrt(mean(jax.numpy.square(centred.ref)).add(1e-5));
  return jax.nn.relu(centred.mul(weight.reshape(channels).div(deviation)).add(bias.reshape(channels)));
}
