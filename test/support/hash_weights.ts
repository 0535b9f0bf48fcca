import { normal, uniform } from './hash.ts';

/**
 * Weights of a whole net from the hash, by state dict key; tools/hash_weights.py makes the same bits.
 *
 *   weight, 2 or more dimensions   normal * sqrt(2 / fanIn), fanIn = elements / shape[0]      (convolutions, Linear)
 *   weight, 1 dimension            1 + 0.1 * uniform                                         (BatchNorm)
 *   bias, running_mean, mean_image 0.1 * uniform
 *   running_var                    1 + 0.5 * |uniform|
 */
export function hashWeight(key: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const kind = key.slice(key.lastIndexOf('.') + 1);
  switch (kind) {
    case 'weight': {
      if (shape.length < 2) return uniform(key, count).map((u) => 1 + 0.1 * u);
      const scale = Math.sqrt(2 / (count / (shape[0] ?? 1)));
      return normal(key, count).map((n) => n * scale);
    }
    case 'bias':
    case 'running_mean':
    case 'mean_image':
      return uniform(key, count).map((u) => 0.1 * u);
    case 'running_var':
      return uniform(key, count).map((u) => 1 + 0.5 * Math.abs(u));
    default:
      throw new RangeError(`no hash weight is defined for ${key}`);
  }
}
