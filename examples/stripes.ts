// What train.ts and predict.ts share: pictures of stripes, and a net that tells which way they run.

import { nn } from 'wavelight';

export const CLASSES = ['horizontal', 'vertical', 'diagonal'] as const;
export const SIZE = 16;

/** `count` pictures [count, 1, 16, 16] of noisy stripes of random width and place, with their classes. */
export function makeStripes(count: number): {
  images: Float32Array<ArrayBuffer>;
  labels: Int32Array<ArrayBuffer>;
} {
  const images = new Float32Array(count * SIZE * SIZE);
  const labels = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const label = Math.floor(Math.random() * CLASSES.length);
    const [frequency, phase] = [0.8 + Math.random(), 6.28 * Math.random()];
    labels[n] = label;
    for (let i = 0; i < SIZE * SIZE; i++) {
      const [row, column] = [Math.floor(i / SIZE), i % SIZE];
      const along = [row, column, 0.7 * (row + column)][label] ?? 0;
      images[n * SIZE * SIZE + i] = Math.sin(frequency * along + phase) + 0.5 * (Math.random() - 0.5);
    }
  }
  return { images, labels };
}

/** Logits [N, 3] of pictures [N, 1, 16, 16]. */
export const makeNet = (): nn.Sequential =>
  new nn.Sequential([
    new nn.Conv2d(1, 8, 5, { padding: 2, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 16, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(16, CLASSES.length),
  ]);
