/**
 * Random numbers from a counter: a pure function of (seed, step, op, element), the same here and in
 * shaders/lib_random.wgsl. pcg4d: Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9(3), 2020.
 */

type Words = [number, number, number, number];

/** The hash of four u32 into four u32. */
export function pcg4d(x: number, y: number, z: number, w: number): Words {
  x = Math.imul(x, 1664525) + 1013904223;
  y = Math.imul(y, 1664525) + 1013904223;
  z = Math.imul(z, 1664525) + 1013904223;
  w = Math.imul(w, 1664525) + 1013904223;
  [x, y, z, w] = mix(x, y, z, w);
  [x, y, z, w] = mix(x ^ (x >>> 16), y ^ (y >>> 16), z ^ (z >>> 16), w ^ (w >>> 16));
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}

function mix(x: number, y: number, z: number, w: number): Words {
  x = (x + Math.imul(y, w)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  w = (w + Math.imul(y, z)) | 0;
  return [x, y, z, w];
}

/** The 32 bits that decide about one element: four neighbours share a hash. */
export function bitsAt(seed: number, step: number, op: number, element: number): number {
  return pcg4d(seed, step, op, Math.floor(element / 4))[element % 4] ?? 0;
}

/** Uniform in [0, 1), a multiple of 2^-24. */
export const uniformAt = (seed: number, step: number, op: number, element: number): number =>
  toUniform(bitsAt(seed, step, op, element));

const toUniform = (bits: number): number => (bits >>> 8) * 2 ** -24;

/** Seed of what devices draw, and how often it was set; devices look here before each run. */
export const randomSeed = { value: 0, version: 0 };

/**
 * Starts every random stream anew: those of all devices, and `defaultGenerator`. As in PyTorch this is one for the
 * process; a `Generator` of your own is independent of it. Throws a RangeError unless it is a u32.
 */
export function manualSeed(seed: number): void {
  defaultGenerator.restore({ seed: checkSeed(seed), step: 0 });
  randomSeed.value = seed;
  randomSeed.version++;
}

/** Everything that a generator's next draws depend on. */
interface GeneratorState {
  readonly seed: number;
  readonly step: number;
}

/** Keeps draws of the host apart from those of devices, whose ops count from 0. */
const HOST_OP = 0xffffffff;

/** Draws on the host: initial weights, shuffles, augmentation. Two numbers are all of its state. */
export class Generator {
  #seed: number;
  #step: number;

  /** `seed` is a u32; throws a RangeError otherwise. */
  constructor(seed: number, step = 0) {
    this.#seed = checkSeed(seed);
    this.#step = step;
  }

  get state(): GeneratorState {
    return { seed: this.#seed, step: this.#step };
  }

  restore({ seed, step }: GeneratorState): void {
    this.#seed = checkSeed(seed);
    this.#step = step;
  }

  /** The next 32 bits. */
  bits(): number {
    const step = this.#step++;
    return bitsAt(this.#seed, Math.floor(step / 2 ** 32), HOST_OP, step % 2 ** 32);
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * toUniform(this.bits());
  }

  /** Normal, by Box and Muller; two uniforms a draw. */
  normal(mean = 0, std = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - toUniform(this.bits())));
    return mean + std * radius * Math.cos(2 * Math.PI * toUniform(this.bits()));
  }

  /** Uniform in 0 .. n - 1 without bias. Throws a RangeError unless 1 <= n <= 2^32. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new RangeError(`integer(n) needs a whole n from 1 to 2^32, got ${n}`);
    }
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % n;
    }
  }

  /** 0 .. n - 1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const moved = order[i] ?? 0;
      order[i] = order[j] ?? 0;
      order[j] = moved;
    }
    return order;
  }

  /** Gamma of the given shape and scale 1 (Marsaglia and Tsang 2000). */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new RangeError(`gamma needs a shape above 0, got ${shape}`);
    // Below 1: gamma(shape) = gamma(shape + 1) U^(1 / shape).
    const boost = shape < 1 ? (1 - this.uniform()) ** (1 / shape) : 1;
    const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v))
        return boost * d * v;
    }
  }

  /** Beta(a, b) in [0, 1]. Throws a RangeError unless both are above 0. */
  beta(a: number, b: number): number {
    const x = this.gamma(a);
    const y = this.gamma(b);
    // Both vanish only for tiny a and b, where beta is a coin.
    return x + y > 0 ? x / (x + y) : this.uniform() < a / (a + b) ? 1 : 0;
  }

  /** A generator of its own for a part of the program; what it draws does not depend on what this one has drawn. */
  fork(name: string): Generator {
    let hash = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
    return new Generator(pcg4d(this.#seed, hash >>> 0, HOST_OP, HOST_OP)[0]);
  }
}

/** The process's generator, for those who bring none: `manualSeed` sets it. */
export const defaultGenerator = new Generator(0);

function checkSeed(seed: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new RangeError(`a seed is a whole number from 0 to 4294967295, got ${seed}`);
  }
  return seed;
}
