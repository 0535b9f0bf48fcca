// The metrics of DCASE 2021 task 1b: accuracy and multi-class log loss.

/** Metrics of one class. Null if the class has no sample. */
export interface ClassMetrics {
  readonly name: string;
  readonly count: number;
  /** Fraction of the class's samples that were predicted correctly, 0..1. */
  readonly accuracy: number | null;
  /** Mean of -ln p(true class) over the class's samples. */
  readonly logLoss: number | null;
}

export interface Metrics {
  readonly count: number;
  readonly accuracy: {
    /** Mean of the classes' accuracies, over the classes that have samples. */
    readonly macro: number;
    /** Fraction of all samples that were predicted correctly. */
    readonly overall: number;
  };
  /** Mean of -ln p(true class) over all samples: the challenge's primary metric. */
  readonly logLoss: number;
  readonly classes: readonly ClassMetrics[];
  /** confusion[t][p] is the number of samples of class t that were predicted as class p. */
  readonly confusion: readonly (readonly number[])[];
}

/** Probabilities are clipped from below to this value, as in scikit-learn, so that a probability of 0 keeps the mean finite. */
const SMALLEST = 1e-15;

/**
 * Softmax of logits [samples, classes] in f64; the maximum of each row is subtracted first.
 * Throws a RangeError if the number of logits is not a multiple of `classes`.
 */
export function softmaxRows(logits: ArrayLike<number>, classes: number): Float64Array<ArrayBuffer> {
  if (logits.length % classes !== 0) {
    throw new RangeError(`${logits.length} logits are not rows of ${classes} classes`);
  }
  const out = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    let max = -Infinity;
    for (let c = 0; c < classes; c++) max = Math.max(max, logits[row + c] ?? NaN);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += out[row + c] = Math.exp((logits[row + c] ?? NaN) - max);
    for (let c = 0; c < classes; c++) out[row + c] = (out[row + c] ?? NaN) / sum;
  }
  return out;
}

/** Index of the largest value of a row, the first one if several are equal. */
export function argmaxRow(values: ArrayLike<number>, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if ((values[row * classes + c] ?? NaN) > (values[row * classes + best] ?? NaN)) best = c;
  }
  return best;
}

/**
 * Measures probabilities [samples, classes] against the true classes [samples].
 * Throws a RangeError if there is no sample, the sizes disagree, a label is not the index of a name or a probability
 * is not a number from 0 to 1.
 */
export function measure(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  names: readonly string[],
): Metrics {
  const classes = names.length;
  const count = labels.length;
  if (count === 0) throw new RangeError('metrics need at least one sample with a label');
  if (probabilities.length !== count * classes) {
    throw new RangeError(
      `${count} samples of ${classes} classes need ${count * classes} probabilities, got ${probabilities.length}`,
    );
  }
  const confusion = names.map(() => names.map(() => 0));
  const losses = names.map(() => 0);
  for (let i = 0; i < count; i++) {
    const label = labels[i] ?? -1;
    const row = confusion[label];
    if (row === undefined)
      throw new RangeError(`label ${label} of sample ${i} is not from 0 to ${classes - 1}`);
    for (let c = 0; c < classes; c++) {
      const p = probabilities[i * classes + c] ?? NaN;
      if (!(p >= 0 && p <= 1)) {
        throw new RangeError(
          `the probability of ${names[c]} in sample ${i} is ${p}: the model's output is not finite`,
        );
      }
    }
    const predicted = argmaxRow(probabilities, i, classes);
    row[predicted] = (row[predicted] ?? 0) + 1;
    losses[label] =
      (losses[label] ?? 0) - Math.log(Math.max(probabilities[i * classes + label] ?? 0, SMALLEST));
  }
  const perClass = names.map((name, c): ClassMetrics => {
    const size = sum(confusion[c] ?? []);
    if (size === 0) return { name, count: 0, accuracy: null, logLoss: null };
    return { name, count: size, accuracy: (confusion[c]?.[c] ?? 0) / size, logLoss: (losses[c] ?? 0) / size };
  });
  const present = perClass.map(({ accuracy }) => accuracy).filter((accuracy) => accuracy !== null);
  return {
    count,
    accuracy: {
      macro: sum(present) / present.length,
      overall: sum(confusion.map((row, c) => row[c] ?? 0)) / count,
    },
    logLoss: sum(losses) / count,
    classes: perClass,
    confusion,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
