import { refuseForeign } from './graph/copies.ts';
import { noGrad } from './graph/autograd.ts';
import { checkOptions, number, type OptionKinds } from './graph/options.ts';
import { elementCount, formatShape } from './graph/shape.ts';
import type { Tensor } from './graph/tensor.ts';

export interface GradcheckOptions {
  /** Half the distance of the central difference; f32 wants it large. */
  readonly step?: number;
  /** Largest relative distance (norm over norm, per input) that passes. */
  readonly tolerance?: number;
}

const above0 = number('above 0', (value) => value > 0);
const GRADCHECK_OPTIONS: OptionKinds<GradcheckOptions> = { step: above0, tolerance: above0 };

export interface GradcheckResult {
  readonly passed: boolean;
  /** For each input that requires a gradient, the relative distance of its gradient from the central differences. */
  readonly errors: readonly number[];
}

/**
 * Compares the gradients of `fn` with central differences (f(x + h) - f(x - h)) / 2h of a fixed random projection of
 * its output, element by element, for each input with `requiresGrad`. Inputs must be leaves, and away from kinks
 * by more than the step. Throws an Error if no input requires a gradient.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckResult> {
  const { step = 1e-2, tolerance = 1e-2 } = checkOptions('gradcheck', options, GRADCHECK_OPTIONS);
  for (const [i, input] of inputs.entries()) refuseForeign(`gradcheck: input ${i}`, input);
  const device = inputs[0]?.device;
  if (device === undefined || !inputs.some((input) => input.requiresGrad)) {
    throw new Error('gradcheck needs an input with requiresGrad');
  }
  for (const input of inputs) input.clearGrad();
  const output = fn(...inputs);
  const weights = projection(output.numel);
  const weightTensor = device.tensor(weights, output.shape);
  output.backward(weightTensor);
  const values = await Promise.all(inputs.map((input) => input.data()));
  const analytic = await Promise.all(inputs.map((input) => input.grad?.data() ?? Promise.resolve(null)));
  output.dispose();
  weightTensor.dispose();

  const forward = device.compile((...moved: Tensor[]) => noGrad(() => fn(...moved)));
  const projected = async (changed: number, element: number, by: number): Promise<number> => {
    const feeds = inputs.map((input, i) => {
      const data = values[i]?.slice() ?? new Float32Array(elementCount(input.shape));
      if (i === changed) data[element] = (data[element] ?? 0) + by;
      return { data, shape: input.shape };
    });
    const result = await (await forward(...feeds)).data();
    return weights.reduce((sum, weight, i) => sum + weight * (result[i] ?? 0), 0);
  };
  const errors: number[] = [];
  for (const [i, input] of inputs.entries()) {
    if (!input.requiresGrad) continue;
    const gradient = analytic[i];
    if (!gradient)
      throw new Error(`gradcheck: input ${i} of shape ${formatShape(input.shape)} received no gradient`);
    let distance = 0;
    let norm = 0;
    for (let element = 0; element < gradient.length; element++) {
      const numeric =
        ((await projected(i, element, step)) - (await projected(i, element, -step))) / (2 * step);
      distance += (numeric - (gradient[element] ?? 0)) ** 2;
      norm += numeric ** 2;
    }
    errors.push(Math.sqrt(distance / Math.max(norm, Number.MIN_VALUE)));
  }
  forward.dispose();
  return { passed: errors.every((error) => error <= tolerance), errors };
}

/** Weights in [0.5, 1.5) that no symmetry cancels; the same every time. */
function projection(length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => 0.5 + ((i * 0.6180339887498949) % 1));
}
