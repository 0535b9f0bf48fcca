import { pcg4d } from '../tensor/graph/random.ts';
import { checkValue, notNegative } from '../tensor/graph/options.ts';
import { elementCount, formatShape, type Shape } from '../tensor/graph/shape.ts';
import type { Init } from './parameter.ts';

/**
 * Elements that one output depends on: [out, in] or [out, in, kH, kW] gives in * kH * kW. Throws a RangeError for a
 * shape of fewer dimensions.
 */
export function fanInOf(shape: Shape): number {
  if (shape.length < 2)
    throw new RangeError(`a fan in needs two dimensions or more, the shape is ${formatShape(shape)}`);
  return elementCount(shape.slice(1));
}

export const zeros: Init = (shape) => new Float32Array(elementCount(shape));

export const ones: Init = (shape) => new Float32Array(elementCount(shape)).fill(1);

/** Uniform in [-bound, bound). */
export function uniform(bound: number): Init {
  checkValue('uniform', 'the bound', bound, notNegative);
  return (shape, seed) => {
    const values = uniforms(elementCount(shape), seed);
    return values.map((u) => bound * (2 * u - 1));
  };
}

/** Normal with mean 0. */
export function normal(std: number): Init {
  checkValue('normal', 'std', std, notNegative);
  return (shape, seed) => normals(elementCount(shape), seed).map((z) => std * z);
}

/** PyTorch's default for convolutions and Linear (kaiming_uniform_ with a = sqrt(5)): uniform in +-1/sqrt(fan in). */
export const kaimingUniform: Init = (shape, seed) => uniform(1 / Math.sqrt(fanInOf(shape)))(shape, seed);

/** He et al. 2015, for layers that a ReLU follows: normal with variance 2 / fan in (PyTorch: kaiming_normal_). */
export const heNormal: Init = (shape, seed) => normal(Math.sqrt(2 / fanInOf(shape)))(shape, seed);

/** Uniform in [0, 1): the counter is the element, four of which share a hash. */
function uniforms(count: number, seed: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(Math.ceil(count / 4) * 4);
  for (let i = 0; i < count; i += 4) values.set(pcg4d(seed, 0, 0, i / 4).map(toUniform), i);
  return values.subarray(0, count);
}

/** Standard normal numbers, by Box and Muller from pairs of uniforms. */
function normals(count: number, seed: number): Float32Array<ArrayBuffer> {
  const values = uniforms(count + (count % 2), seed);
  for (let i = 0; i < values.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - (values[i] ?? 0)));
    const angle = 2 * Math.PI * (values[i + 1] ?? 0);
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  return values.subarray(0, count);
}

const toUniform = (bits: number): number => (bits >>> 8) * 2 ** -24;
