// The challenge's submission file: tab-separated file name, scene and the probabilities of the scenes.

import { argmaxRow } from '../../training/metrics.ts';
import type { Predictions } from './evaluate.ts';

/**
 * The table's text: one row per clip, in the order of the samples. A clip of several seconds, as in the development set,
 * gets the mean of its seconds' probabilities. The challenge's own clips have one second.
 */
export function submissionTable({ samples, scenes, probabilities }: Predictions): string {
  const classes = scenes.length;
  const clips = new Map<string, { count: number; sums: Float64Array }>();
  samples.forEach(({ clip }, i) => {
    const entry = clips.get(clip.audio) ?? { count: 0, sums: new Float64Array(classes) };
    clips.set(clip.audio, entry);
    entry.count += 1;
    for (let c = 0; c < classes; c++)
      entry.sums[c] = (entry.sums[c] ?? 0) + (probabilities[i * classes + c] ?? 0);
  });
  const rows = [...clips].map(([audio, { count, sums }]) => {
    const means = Array.from(sums, (sum) => sum / count);
    return [audio, scenes[argmaxRow(means, 0, classes)] ?? '', ...means.map((p) => p.toFixed(6))];
  });
  return [['filename', 'scene_label', ...scenes], ...rows].map((row) => `${row.join('\t')}\n`).join('');
}
