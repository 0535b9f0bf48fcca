/** The shapes and leaves of a case, and the elements of all that goes into it. */
import type { Shape } from '../../src/index.ts';
import { hashIndices, normal } from '../../test/support/hash.ts';
import type { Case } from './case.ts';
import { leavesOf, shapeOf, type LeafSpec } from './steps.ts';

interface Layout {
  /** Of every value. */
  readonly shapes: readonly Shape[];
  readonly leaves: ReadonlyMap<string, LeafSpec>;
}

/** More than this many elements in one value are no small net. */
const LARGEST = 6000;

/** Throws a RangeError where a step does not fit what it is applied to. */
export function layoutOf({ inputs, steps, losses, outputs }: Case): Layout {
  const shapes = inputs.map(({ shape }) => shape);
  const leaves = new Map<string, LeafSpec>();
  const check = (refs: readonly number[]): void => {
    const bad = refs.find((ref) => !(ref >= 0 && ref < shapes.length));
    if (bad !== undefined) throw new RangeError(`there is no value ${bad}`);
  };
  for (const step of steps) {
    check(step.of);
    for (const spec of leavesOf(step, shapes)) leaves.set(spec.name, spec);
    const shape = shapeOf(step, shapes);
    if (count(shape) > LARGEST) throw new RangeError(`[${shape.join()}] is too large`);
    shapes.push(shape);
  }
  check([...losses.map(({ of }) => of), ...outputs]);
  return { shapes, leaves };
}

export const count = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Elements of a case by name. `nudge` above 0 disturbs each by its last of so many bits, each time otherwise. */
export class Elements {
  readonly #net: Case;
  readonly #nudge: number;
  readonly #bits: number;

  constructor(net: Case, nudge = 0, bits = 23) {
    this.#net = net;
    this.#nudge = nudge;
    this.#bits = bits;
  }

  leaf({ name, shape, scale, offset = 0, positive = false }: LeafSpec): Float32Array {
    const values = this.#normals(name, shape).map((x) => offset + scale * (positive ? Math.abs(x) : x));
    return this.#finish(name, values);
  }

  input(index: number, call: number): Float32Array {
    const { shape = [], leaf = false } = this.#net.inputs[index] ?? {};
    const name = `input${index}`;
    return this.#finish(name, this.#normals(leaf ? name : `${name} of call ${call % 2}`, shape));
  }

  /** Of a loss: weights that are fixed over all calls. */
  weights(loss: number, shape: Shape): Float32Array {
    return this.#normals(`loss${loss}`, shape);
  }

  classes(loss: number, rows: number, below: number): Int32Array {
    return hashIndices(`fuzz/${this.#net.seed}/classes${loss}`, rows, below);
  }

  #normals(name: string, shape: Shape): Float32Array {
    return normal(`fuzz/${this.#net.seed}/${name}`, count(shape));
  }

  #finish(name: string, values: Float32Array): Float32Array {
    if (this.#nudge > 0) {
      const signs = normal(`fuzz/nudge ${this.#nudge}/${name}`, values.length);
      for (const [i, sign] of signs.entries())
        values[i] = (values[i] ?? 0) * (1 + Math.sign(sign) * 2 ** -this.#bits);
    }
    const { plant } = this.#net;
    if (plant?.name === name && values.length > 0) values[plant.index % values.length] = Number(plant.value);
    return values;
  }
}
