import { readFile } from 'node:fs/promises';
import { checkedTensors, type Work } from './work.ts';

/** Results of a peer, computed before it is timed. */
export interface Results {
  readonly losses: readonly number[];
  readonly tensors: readonly Float32Array[];
}

/** Distance between two peers' results: norm of the difference over the norm. */
export interface Distance {
  readonly output: number;
  /** The largest distance of a parameter's gradient; 0 for a convolution. */
  readonly gradient: number;
  /** Name of that parameter. */
  readonly worst: string;
  /** The largest distance of the losses of the first steps. */
  readonly loss: number;
}

type Tolerance = Readonly<Record<'output' | 'gradient' | 'loss', number>>;

/**
 * Tolerances. The gradients of a training step are the least exact: when rounding flips one ReLU of millions, a gradient moves
 * by a thousandth, and in a net of 161 layers with batch norm by some hundredths (PyTorch's own f32 is up to 0.03 off f64).
 * TF32 has 10 bits of fraction instead of 23.
 */
const SMALL = {
  f32: { output: 1e-4, gradient: 1e-2, loss: 1e-4 },
  tf32: { output: 1e-2, gradient: 0.3, loss: 1e-2 },
};
const NET = {
  // Adam's first steps have the size of the learning rate, whatever the gradient: PyTorch's two layouts differ by 4e-3.
  f32: { output: 1e-3, gradient: 0.1, loss: 2e-2 },
  tf32: { output: 0.3, gradient: 1, loss: 0.1 },
};

export type Precision = keyof typeof SMALL;

export const toleranceOf = (kind: Work['kind'], precision: Precision): Tolerance =>
  (kind === 'net' ? NET : SMALL)[precision];

/** Reads the tensors that a peer wrote. Throws an Error if their number is not that of the work. */
export async function readResults(work: Work, file: string, losses: readonly number[]): Promise<Results> {
  const bytes = await readFile(file);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const wanted = checkedTensors(work);
  const total = wanted.reduce((sum, { length }) => sum + length, 0);
  if (all.length !== total) throw new Error(`it wrote ${all.length} numbers instead of ${total}`);
  let offset = 0;
  return { losses, tensors: wanted.map(({ length }) => all.subarray(offset, (offset += length))) };
}

export function distance(work: Work, a: Results, reference: Results): Distance {
  const names = checkedTensors(work).map(({ name }) => name);
  const errors = reference.tensors.map((tensor, i) => relative(a.tensors[i], tensor));
  const [output = NaN, ...gradients] = errors;
  // Math.max propagates NaN.
  const gradient = Math.max(0, ...gradients);
  const losses = reference.losses.map((loss, i) => Math.abs((a.losses[i] ?? NaN) / loss - 1));
  return {
    output,
    gradient,
    worst:
      gradients.length === 0 ? '' : (names[1 + gradients.findIndex((e) => Object.is(e, gradient))] ?? ''),
    loss: Math.max(0, ...losses),
  };
}

/** A description of the results beyond the tolerance or NaN; null if there are none. */
export function disagreement(
  { output, gradient, worst, loss }: Distance,
  tolerance: Tolerance,
): string | null {
  const beyond = [
    ...(output <= tolerance.output ? [] : [`its output is off by ${output.toExponential(1)}`]),
    ...(gradient <= tolerance.gradient ? [] : [`${worst} is off by ${gradient.toExponential(1)}`]),
    ...(loss <= tolerance.loss ? [] : [`its loss is off by ${loss.toExponential(1)}`]),
  ];
  return beyond.length === 0 ? null : beyond.join(', ');
}

function relative(values: Float32Array | undefined, reference: Float32Array): number {
  if (values?.length !== reference.length) return NaN;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    const expected = reference[i] ?? NaN;
    difference += ((values[i] ?? NaN) - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(difference / norm);
}
