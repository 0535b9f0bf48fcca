/*
 * Descriptions of the measured work, the same for every peer. Inputs come from a hash (test/support/hash.ts, tools/hash.py), so
 * they need not be sent.
 */
import type { DenseNetConfig } from '../../src/avsc/models/densenet.ts';
import type { FcnnConfig } from '../../src/avsc/models/fcnn.ts';
import { hashValues, type HashKind } from '../../test/support/hash.ts';

/** A tensor whose elements are determined by its name. */
export interface TensorSpec {
  readonly name: string;
  /** NCHW; weights [out, in, kH, kW]. */
  readonly shape: readonly number[];
  readonly kind: HashKind;
  readonly scale: number;
}

/**
 * A training step of a dense block: for each layer BN, ReLU, conv 1x1, BN, ReLU, conv 3x3, concat; the loss is the mean of
 * the block's squared output; Adam (lr 1e-4) updates all parameters. Batch norm uses batch statistics and keeps no running ones.
 */
export interface DenseWork {
  readonly kind: 'dense';
  readonly name: string;
  readonly x: TensorSpec;
  readonly layers: number;
  /** Six for each layer: weight and bias of a BN, the 1x1 kernels, weight and bias of a BN, the 3x3 kernels. */
  readonly parameters: readonly TensorSpec[];
  readonly output: readonly number[];
}

/** A convolution without bias, forward. */
export interface ConvWork {
  readonly kind: 'conv';
  readonly name: string;
  readonly x: TensorSpec;
  readonly weight: TensorSpec;
  readonly stride: number;
  readonly padding: number;
  readonly output: readonly number[];
}

/** A matrix product a b, or a convolution's gradient: of its input (a: the output's gradient, b: the kernels) or of its kernels (b: the input). */
export interface ProductWork {
  readonly kind: 'product';
  readonly of: 'matmul' | 'data' | 'weight';
  readonly name: string;
  readonly a: TensorSpec;
  readonly b: TensorSpec;
  readonly stride: number;
  readonly padding: number;
  readonly output: readonly number[];
}

/**
 * A training step of a whole net of the classifier in train mode without dropout, with weights from the hash. The loss is cross
 * entropy with class i % classes for sample i; Adam (lr 1e-4) updates all parameters.
 */
export interface NetWork {
  readonly kind: 'net';
  readonly name: string;
  readonly video: DenseNetConfig;
  /** If given, the net is the joint net, on log-mel features and two frames per sample. */
  readonly audio: Required<Pick<FcnnConfig, 'features' | 'widths'>> | null;
  readonly classes: number;
  readonly inputs: readonly TensorSpec[];
  /** Names and shapes, in the order of the net's state dict. */
  readonly parameters: readonly Pick<TensorSpec, 'name' | 'shape'>[];
  readonly output: readonly number[];
  /** Floating-point operations of the convolutions, forward. */
  readonly forwardFlops: number;
}

export type Work = DenseWork | ConvWork | ProductWork | NetWork;

/** Output channels of a layer's 1x1 convolution, as a multiple of the growth rate. */
const BOTTLENECK = 4;

export function denseWork(
  batch: number,
  channels: number,
  size: number,
  growth: number,
  layers: number,
): DenseWork {
  const name = `dense block of ${layers}, growth ${growth}, ${batch}x${channels}x${size}x${size}`;
  const norm = (prefix: string, count: number): TensorSpec[] => [
    { name: `${prefix}.weight`, shape: [count], kind: 'positive', scale: 1 },
    { name: `${prefix}.bias`, shape: [count], kind: 'uniform', scale: 0.5 },
  ];
  const parameters = Array.from({ length: layers }, (_, i) => {
    const inputs = channels + i * growth;
    return [
      ...norm(`layer${i}.norm1`, inputs),
      kernels(`layer${i}.conv1`, [BOTTLENECK * growth, inputs, 1, 1]),
      ...norm(`layer${i}.norm2`, BOTTLENECK * growth),
      kernels(`layer${i}.conv2`, [growth, BOTTLENECK * growth, 3, 3]),
    ];
  });
  return {
    kind: 'dense',
    name,
    x: image([batch, channels, size, size]),
    layers,
    parameters: parameters.flat(),
    output: [batch, channels + layers * growth, size, size],
  };
}

/** The convolutions of a DenseNet on pictures of `side` x `side`, in the order of the net. */
export function densenetConvs(
  batch: number,
  side: number,
  { stem, growthRate, blocks }: DenseNetConfig,
): ConvWork[] {
  const works: ConvWork[] = [];
  const add = (inputs: number, outputs: number, size: number, kernel: number, stride = 1): void => {
    works.push(convWork(batch, inputs, outputs, size, kernel, stride));
  };
  add(3, stem, side, 7, 2);
  let size = side / 4;
  let channels = stem;
  blocks.forEach((layers, i) => {
    for (let layer = 0; layer < layers; layer++) {
      add(channels, BOTTLENECK * growthRate, size, 1);
      add(BOTTLENECK * growthRate, growthRate, size, 3);
      channels += growthRate;
    }
    if (i + 1 === blocks.length) return;
    add(channels, channels / 2, size, 1);
    channels /= 2;
    size /= 2;
  });
  return works;
}

export function convWork(
  batch: number,
  inputs: number,
  outputs: number,
  size: number | readonly [height: number, width: number],
  kernel: number,
  stride: number,
): ConvWork {
  const padding = Math.floor(kernel / 2);
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const result = (length: number): number => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  return {
    kind: 'conv',
    name: `conv ${kernel}x${kernel}${stride > 1 ? ` s${stride}` : ''} ${batch}x${inputs}x${height}x${width} to ${outputs}`,
    x: image([batch, inputs, height, width]),
    weight: kernels('weight', [outputs, inputs, kernel, kernel]),
    stride,
    padding,
    output: [batch, outputs, result(height), result(width)],
  };
}

/** Gradients of a convolution's input and of its kernels. */
export function gradientWorks({ name, x, weight, stride, padding, output }: ConvWork): ProductWork[] {
  const dy: TensorSpec = { name: 'dy', shape: output, kind: 'normal', scale: 1 };
  const shared = { kind: 'product', a: dy, stride, padding } as const;
  return [
    { ...shared, of: 'data', name: `data of ${name}`, b: weight, output: x.shape },
    { ...shared, of: 'weight', name: `weight of ${name}`, b: x, output: weight.shape },
  ];
}

/** A square product. */
export function matmulWork(size: number): ProductWork {
  const [a, b] = (['a', 'b'] as const).map((name): TensorSpec => ({
    name,
    shape: [size, size],
    kind: 'normal',
    scale: 1,
  }));
  if (a === undefined || b === undefined) throw new Error('a product has two operands');
  return {
    kind: 'product',
    of: 'matmul',
    name: `matmul ${size}`,
    a,
    b,
    stride: 1,
    padding: 0,
    output: [size, size],
  };
}

const image = (shape: readonly number[]): TensorSpec => ({ name: 'x', shape, kind: 'normal', scale: 1 });

/** Kernels scaled by He et al.'s rule, so that activations keep their size from layer to layer. */
const kernels = (name: string, shape: readonly number[]): TensorSpec => ({
  name,
  shape,
  kind: 'normal',
  scale: Math.sqrt(2 / elements(shape.slice(1))),
});

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

export function valuesOf({ name, shape, kind, scale }: TensorSpec): Float32Array<ArrayBuffer> {
  return new Float32Array(hashValues(name, elements(shape), kind, scale));
}

/** Tensors that a check compares, in the order in which peers write them. */
export function checkedTensors(work: Work): { readonly name: string; readonly length: number }[] {
  const output = { name: 'output', length: elements(work.output) };
  if (work.kind === 'conv' || work.kind === 'product') return [output];
  return [
    output,
    ...work.parameters.map(({ name, shape }) => ({ name: `gradient of ${name}`, length: elements(shape) })),
  ];
}

/** Floating-point operations of the convolutions. A training step has three passes: forward, to the data and to the kernels. */
export function flopsOf(work: Work): number {
  if (work.kind === 'net') return 3 * work.forwardFlops;
  if (work.kind === 'product') {
    // Every kernel element, or row of b, meets every pixel of the output, or row of a.
    const [rows = 0, , height = 1, width = 1] = work.a.shape;
    return 2 * rows * height * width * elements(work.of === 'weight' ? work.output : work.b.shape);
  }
  const perImagePoint = (weight: TensorSpec): number => 2 * elements(weight.shape);
  const [batch = 0, , height = 0, width = 0] = work.output;
  const points = batch * height * width;
  if (work.kind === 'conv') return points * perImagePoint(work.weight);
  const convs = work.parameters.filter(({ shape }) => shape.length === 4);
  return 3 * points * convs.reduce((sum, weight) => sum + perImagePoint(weight), 0);
}

/** Bytes that must be moved: a product's operands once; null for a training step, whose bytes depend on the kept activations. */
export function bytesOf(work: Work): number | null {
  if (work.kind === 'net' || work.kind === 'dense') return null;
  const operands = work.kind === 'conv' ? [work.x, work.weight] : [work.a, work.b];
  return (
    4 * [...operands.map(({ shape }) => shape), work.output].reduce((sum, shape) => sum + elements(shape), 0)
  );
}
