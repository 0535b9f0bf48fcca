/** What the steps of a case are: for each the shape of its result and how the engine computes it. */
import {
  abs,
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  add,
  avgPool2d,
  batchNorm2d,
  concat,
  conv2d,
  dropout,
  leakyRelu,
  linear,
  maxPool2d,
  mean,
  mul,
  neg,
  permute,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  tanh,
  type Shape,
  type Tensor,
} from '../../src/index.ts';
import type { Mode, Part, Pool, Step, Unary, View } from './case.ts';

/** How the elements of a leaf are made: `scale` times a normal number (its absolute value if `positive`), plus `offset`. */
export interface LeafSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly scale: number;
  readonly offset?: number;
  readonly positive?: boolean;
  /** A running statistic, which requires no gradient. */
  readonly statistic?: boolean;
}

/** The leaves that a step needs, given the shapes of its operands. */
export function leavesOf(step: Step, shapes: readonly Shape[]): LeafSpec[] {
  const [first = 0]: readonly number[] = step.of;
  const x = shapes[first] ?? [];
  switch (step.op) {
    case 'conv': {
      const { out, groups } = convolution(step, x);
      const shape = [out, channelsOf(x) / groups, step.kernel, step.kernel];
      const weight = leaf(`${step.name}.weight`, shape, 1 / Math.sqrt((shape[1] ?? 1) * step.kernel ** 2));
      return step.bias === true ? [weight, leaf(`${step.name}.bias`, [out], 0.1)] : [weight];
    }
    case 'norm': {
      const shape = [channelsOf(x)];
      const affine = [leaf(`${step.name}.weight`, shape, 0.3, 1), leaf(`${step.name}.bias`, shape, 0.2)];
      const stats: LeafSpec[] =
        step.stats === undefined
          ? []
          : [
              { ...leaf(`${step.stats}.mean`, shape, 0.1), statistic: true },
              { ...leaf(`${step.stats}.var`, shape, 0.3, 1), positive: true, statistic: true },
            ];
      return [...(step.affine === true ? affine : []), ...stats];
    }
    case 'linear': {
      const inputs = x.at(-1) ?? 1;
      const weight = leaf(`${step.name}.weight`, [step.out, inputs], 1 / Math.sqrt(inputs));
      return step.bias === true ? [weight, leaf(`${step.name}.bias`, [step.out], 0.1)] : [weight];
    }
    case 'unary':
    case 'pool':
    case 'concat':
    case 'slice':
    case 'view':
    case 'like':
    case 'permute':
    case 'add':
    case 'mul':
    case 'dropout':
    case 'softmax':
    case 'detach':
      return [];
  }
}

/** Shapes are part of the name: steps of one name share what has the same shape. */
const leaf = (name: string, shape: Shape, scale: number, offset = 0): LeafSpec => ({
  name: `${name}[${shape.join()}]`,
  shape,
  scale,
  offset,
});

const channelsOf = (x: Shape): number => x[1] ?? 1;

interface Convolution {
  readonly out: number;
  readonly groups: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

function convolution(step: Extract<Step, { op: 'conv' }>, x: Shape): Convolution {
  const { stride = 1, padding = 0, dilation = 1 } = step;
  const wanted = step.groups ?? 1;
  const groups = channelsOf(x) % wanted === 0 ? wanted : 1;
  return { out: Math.ceil(step.out / groups) * groups, groups, stride, padding, dilation };
}

/** The shape of a step's result. Throws a RangeError where its operands do not fit each other. */
export function shapeOf(step: Step, shapes: readonly Shape[]): Shape {
  const of = step.of.map((i) => shapes[i] ?? []);
  const [x = []] = of;
  switch (step.op) {
    case 'conv': {
      need(x.length === 4, step, of);
      const { out, stride, padding, dilation } = convolution(step, x);
      return [
        x[0] ?? 1,
        out,
        ...x.slice(2).map((size) => windows(size, step.kernel, stride, padding, dilation)),
      ];
    }
    case 'norm': {
      need(x.length >= 2, step, of);
      // Over few values batch norm is a step function, whose results say nothing.
      need(product(x) / channelsOf(x) >= 6, step, of);
      return x;
    }
    case 'pool': {
      need(x.length === 4, step, of);
      return pooled(step.kind, x);
    }
    case 'concat': {
      const rest = (shape: Shape): string => shape.map((size, i) => (i === step.dim ? 0 : size)).join();
      need(step.dim < x.length && of.every((shape) => rest(shape) === rest(x)), step, of);
      return x.map((size, i) =>
        i === step.dim ? of.reduce((sum, shape) => sum + (shape[i] ?? 0), 0) : size,
      );
    }
    case 'slice': {
      const { start, end, step: every } = partOf(step.part, x[step.dim] ?? 0);
      need(end > start, step, of);
      return x.map((size, i) => (i === step.dim ? Math.ceil((end - start) / every) : size));
    }
    case 'view':
      return viewed(step.to, x);
    case 'like':
      return product(of[1] ?? []) === product(x) ? (of[1] ?? []) : x;
    case 'permute':
      return step.dims.length === x.length ? step.dims.map((dim) => x[dim] ?? 1) : x;
    case 'add':
    case 'mul':
      return broadcast(step, x, of[1] ?? []);
    case 'linear':
      need(x.length >= 1, step, of);
      return [...x.slice(0, -1), step.out];
    case 'softmax':
      // Of one channel it is 1 everywhere, and a norm of a constant is rounding alone.
      need(channelsOf(x) > 1, step, of);
      return x;
    case 'unary':
    case 'dropout':
    case 'detach':
      return x;
  }
}

function need(condition: boolean, step: Step, shapes: readonly Shape[]): void {
  if (!condition) throw new RangeError(`${step.op} does not take ${JSON.stringify(shapes)}`);
}

const product = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

function windows(size: number, kernel: number, stride: number, padding: number, dilation = 1): number {
  const count = Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  if (count < 1) throw new RangeError(`no window of ${kernel} in ${size}`);
  return count;
}

interface Window {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: number;
}

const square = (kernel: number, stride: number, padding: number): Window => ({
  kernelSize: [kernel, kernel],
  stride: [stride, stride],
  padding,
});

const WINDOWS: Readonly<Partial<Record<Pool, Window>>> = {
  max2: square(2, 2, 0),
  max3: square(3, 1, 1),
  max3stride2: square(3, 2, 1),
  avg2: square(2, 2, 0),
  avg3: square(3, 1, 1),
  avg3stride2: square(3, 2, 1),
  avg12: { kernelSize: [1, 2], stride: [1, 2], padding: 0 },
  avg21: { kernelSize: [2, 1], stride: [2, 1], padding: 0 },
};

function pooled(kind: Pool, [batch = 1, channels = 1, ...image]: Shape): Shape {
  const window = WINDOWS[kind];
  if (window === undefined) return [batch, channels, ...(kind === 'two' ? [2, 2] : [1, 1])];
  const { kernelSize, stride, padding } = window;
  return [
    batch,
    channels,
    ...image.map((size, i) => windows(size, kernelSize[i] ?? 1, stride[i] ?? 1, padding)),
  ];
}

function partOf(part: Part, size: number): { start: number; end: number; step: number } {
  const middle = Math.ceil(size / 2);
  switch (part) {
    case 'first':
      return { start: 0, end: middle, step: 1 };
    case 'second':
      return { start: middle, end: size, step: 1 };
    case 'inner':
      return { start: Math.min(1, size - 1), end: size, step: 1 };
    case 'even':
      return { start: 0, end: size, step: 2 };
  }
}

function viewed(to: View, x: Shape): Shape {
  const [n = 1, c = 1, h = 1, w = 1] = x;
  const isMap = x.length === 4;
  switch (to) {
    case 'same':
      return x;
    case 'line':
      return [product(x)];
    case 'flat':
      return x.length > 1 ? [n, product(x.slice(1))] : x;
    case 'squeeze':
      return x.length > 2 ? x.filter((size) => size !== 1) : x;
    case 'unsqueeze':
      return x.length < 4 ? [...x, 1] : x;
    case 'instance':
      return isMap ? [1, n * c, h, w] : x;
    case 'merge':
      return isMap ? [n * c, 1, h, w] : x;
    case 'rows':
      return isMap ? [n, c, h * w, 1] : x;
    case 'swap':
      return isMap ? [n, c, w, h] : x;
    case 'fold':
      return isMap && c % 2 === 0 ? [n, c / 2, h * 2, w] : x;
    case 'unfold':
      return isMap && h % 2 === 0 ? [n, c * 2, h / 2, w] : x;
  }
}

function broadcast(step: Step, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p, q] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    need(p === q || p === 1 || q === 1, step, [a, b]);
    return Math.max(p, q);
  });
}

const UNARY_OPS: Readonly<Record<Unary, (x: Tensor) => Tensor>> = {
  relu,
  leakyRelu: (x) => leakyRelu(x, { negativeSlope: 0.2 }),
  sigmoid,
  tanh,
  neg,
  abs,
  double: (x) => mul(x, 2),
  shift: (x) => add(x, 0.3),
};

/** Computes a step from the values so far; `leaves` finds a leaf of `leavesOf` by its place there. */
export function runStep(
  step: Step,
  values: readonly Tensor[],
  leaves: (spec: LeafSpec) => Tensor,
  mode: Mode,
): Tensor {
  const operand = (i: number): Tensor => {
    const value = values[step.of[i] ?? -1];
    if (value === undefined) throw new Error(`${step.op} has no operand ${i}`);
    return value;
  };
  const x = operand(0);
  const shapes = values.map(({ shape }) => shape);
  const own = leavesOf(step, shapes).map(leaves);
  switch (step.op) {
    case 'conv': {
      const [weight = x, bias = null] = own;
      const { stride, padding, dilation, groups } = convolution(step, x.shape);
      return conv2d(x, weight, bias, { stride, padding, dilation, groups });
    }
    case 'norm': {
      const stats = step.stats === undefined ? [] : own.slice(-2);
      const [weight = null, bias = null] = step.affine === true ? own : [];
      const [runningMean = null, runningVar = null] = stats;
      const training = mode === 'train' || runningMean === null;
      const eps = step.eps ?? 1e-5;
      return batchNorm2d(x, { weight, bias, runningMean, runningVar, training, eps, momentum: 0.2 });
    }
    case 'linear': {
      const [weight = x, bias = null] = own;
      return linear(x, weight, bias);
    }
    case 'unary':
      return UNARY_OPS[step.fn](x);
    case 'pool':
      return runPool(step.kind, x);
    case 'concat':
      return concat(
        step.of.map((_, i) => operand(i)),
        step.dim,
      );
    case 'slice':
      return slice(x, { dim: step.dim, ...partOf(step.part, x.shape[step.dim] ?? 0) });
    case 'view':
    case 'like':
      return reshape(x, shapeOf(step, shapes));
    case 'permute':
      return step.dims.length === x.shape.length ? permute(x, step.dims) : x;
    case 'add':
      return add(x, operand(1));
    case 'mul':
      return mul(x, operand(1));
    case 'dropout':
      return dropout(x, { p: step.p, training: mode === 'train' });
    case 'softmax':
      return softmax(x, 1);
    case 'detach':
      return x.detach();
  }
}

function runPool(kind: Pool, x: Tensor): Tensor {
  const window = WINDOWS[kind];
  if (window !== undefined) return kind.startsWith('max') ? maxPool2d(x, window) : avgPool2d(x, window);
  if (kind === 'mean') return mean(x, { dim: [2, 3], keepDim: true });
  return kind === 'maxOne' ? adaptiveMaxPool2d(x, 1) : adaptiveAvgPool2d(x, kind === 'two' ? 2 : 1);
}
