import {
  abs,
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  add,
  amax,
  amin,
  argmax,
  avgPool2d,
  batchNorm2d,
  clamp,
  concat,
  conv2d,
  crossEntropy,
  div,
  eq,
  exp,
  expand,
  ge,
  gt,
  indexSelect,
  le,
  leakyRelu,
  linear,
  log,
  logSoftmax,
  lt,
  matmul,
  max,
  maximum,
  maxPool2d,
  mean,
  min,
  minimum,
  mul,
  ne,
  neg,
  pad,
  permute,
  pow,
  reciprocal,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  tanh,
  where,
} from '../../src/index.ts';
import type { Tensor } from '../../src/index.ts';
import type { HashKind } from './hash.ts';

/** Options of a case as tools/op_cases.py names them: the engine's names, where the engine has options. */
export type Attrs = Readonly<Record<string, unknown>>;
/** A case of tools/op_cases.py. */
export interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly { shape: number[]; kind: HashKind; scale?: number; grad?: boolean }[];
  readonly shape: readonly number[];
  readonly f32: Readonly<Record<string, number>>;
}

type Outputs = { readonly out: Tensor } & Readonly<Record<string, Tensor>>;
type Run = (inputs: readonly Tensor[], attrs: Attrs) => Tensor | Outputs;

/** Calls the engine as a case says; `out` is what gradients flow from. */
export function runOp(op: string, inputs: readonly Tensor[], attrs: Attrs): Outputs {
  const run = RUNS[op];
  if (run === undefined) throw new Error(`test/support/ops.ts has no op ${op}`);
  const result = run(inputs, attrs);
  return 'out' in result ? result : { out: result };
}

/** Input i of a case that has at least i + 1. */
function at(inputs: readonly Tensor[], i: number): Tensor {
  const input = inputs[i];
  if (input === undefined) throw new Error(`the case has no input ${i}`);
  return input;
}

const unary =
  (fn: (x: Tensor) => Tensor): Run =>
  (t) =>
    fn(at(t, 0));

const binary =
  (fn: (a: Tensor, b: Tensor | number) => Tensor): Run =>
  (t, { other }) =>
    fn(at(t, 0), typeof other === 'number' ? other : at(t, 1));

type AlongOptions = { dim: number; keepDim?: boolean };

const RUNS: Readonly<Record<string, Run>> = {
  matmul: (t, attrs) => matmul(at(t, 0), at(t, 1), attrs),
  linear: (t) => linear(at(t, 0), at(t, 1), t[2] ?? null),
  conv2d: (t, attrs) => conv2d(at(t, 0), at(t, 1), t[2] ?? null, attrs),
  batchNorm2d: (t, attrs) => {
    const { training, momentum, eps } = attrs as { training: boolean; momentum: number; eps: number };
    const [runningMean, runningVar] = [at(t, 1), at(t, 2)];
    const affine = t.length > 3 ? { weight: at(t, 3), bias: at(t, 4) } : {};
    const out = batchNorm2d(at(t, 0), { ...affine, runningMean, runningVar, training, momentum, eps });
    return { out, runningMean, runningVar };
  },
  maxPool2d: (t, attrs) => maxPool2d(at(t, 0), attrs as unknown as Parameters<typeof maxPool2d>[1]),
  avgPool2d: (t, attrs) => avgPool2d(at(t, 0), attrs as unknown as Parameters<typeof avgPool2d>[1]),
  adaptiveAvgPool2d: (t, { size }) => adaptiveAvgPool2d(at(t, 0), size as [number, number]),
  adaptiveMaxPool2d: (t, { size }) => adaptiveMaxPool2d(at(t, 0), size as [number, number]),
  relu: unary(relu),
  leakyRelu: (t, { negativeSlope }) => leakyRelu(at(t, 0), { negativeSlope: negativeSlope as number }),
  sigmoid: unary(sigmoid),
  tanh: unary(tanh),
  exp: unary(exp),
  log: unary(log),
  sqrt: unary(sqrt),
  neg: unary(neg),
  abs: unary(abs),
  square: unary(square),
  reciprocal: unary(reciprocal),
  clamp: (t, attrs) => clamp(at(t, 0), attrs),
  pow: (t, { exponent }) => pow(at(t, 0), exponent as number),
  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div),
  maximum: binary(maximum),
  minimum: binary(minimum),
  eq: binary(eq),
  ne: binary(ne),
  lt: binary(lt),
  le: binary(le),
  gt: binary(gt),
  ge: binary(ge),
  where: (t) => where(at(t, 0), at(t, 1), at(t, 2)),
  sum: (t, attrs) => sum(at(t, 0), attrs),
  mean: (t, attrs) => mean(at(t, 0), attrs),
  amax: (t, attrs) => amax(at(t, 0), attrs),
  amin: (t, attrs) => amin(at(t, 0), attrs),
  max: (t, attrs) => ('dim' in attrs ? max(at(t, 0), attrs as AlongOptions).values : max(at(t, 0))),
  min: (t, attrs) => ('dim' in attrs ? min(at(t, 0), attrs as AlongOptions).values : min(at(t, 0))),
  argmax: (t, attrs) => argmax(at(t, 0), attrs),
  softmax: (t, { dim }) => softmax(at(t, 0), dim as number),
  logSoftmax: (t, { dim }) => logSoftmax(at(t, 0), dim as number),
  crossEntropy: (t, attrs) => crossEntropy(at(t, 0), at(t, 1), attrs),
  concat: (t, { dim }) => concat(t, dim as number),
  slice: (t, attrs) => slice(at(t, 0), attrs as unknown as Parameters<typeof slice>[1]),
  reshape: (t, { shape }) => reshape(at(t, 0), shape as number[]),
  permute: (t, { dims }) => permute(at(t, 0), dims as number[]),
  pad: (t, { padding, value }) => pad(at(t, 0), padding as [number, number][], { value: value as number }),
  expand: (t, { shape }) => expand(at(t, 0), shape as number[]),
  indexSelect: (t, { dim }) => indexSelect(at(t, 0), dim as number, at(t, 1)),
};
