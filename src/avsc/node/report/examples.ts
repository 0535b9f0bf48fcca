// Which samples a report shows.

import { argmaxRow } from '../../training/metrics.ts';

interface ExampleCounts {
  readonly classes: number;
  readonly right: number;
  readonly wrong: number;
}

/**
 * The samples that are right with the highest probability, at most one of each class, then the samples whose true class got the
 * lowest probability among those that are wrong, at most one of each clip; equals in the order of the samples. Probabilities are [samples, classes].
 * Throws a RangeError if the sizes disagree.
 */
export function pickExamples(
  probabilities: Float64Array,
  labels: Int32Array,
  clips: readonly string[],
  { classes, right, wrong }: ExampleCounts,
): { readonly index: number; readonly kind: 'right' | 'wrong' }[] {
  if (probabilities.length !== labels.length * classes) {
    throw new RangeError(
      `${labels.length} samples of ${classes} classes need ${labels.length * classes} probabilities, got ${probabilities.length}`,
    );
  }
  const samples = Array.from(labels, (label, index) => ({
    index,
    label,
    probability: probabilities[index * classes + label] ?? 0,
    isRight: argmaxRow(probabilities, index, classes) === label,
  }));
  const surest = samples.filter(({ isRight }) => isRight).sort((a, b) => b.probability - a.probability);
  const seen = new Set<number>();
  const ofEachClass = surest.filter(({ label }) => !seen.has(label) && seen.add(label));
  const wrongest = samples.filter(({ isRight }) => !isRight).sort((a, b) => a.probability - b.probability);
  const shown = new Set<string | undefined>();
  const worst = wrongest.filter(({ index }) => !shown.has(clips[index]) && shown.add(clips[index]));
  return [
    ...ofEachClass.slice(0, right).map(({ index }) => ({ index, kind: 'right' as const })),
    ...worst.slice(0, wrong).map(({ index }) => ({ index, kind: 'wrong' as const })),
  ];
}
