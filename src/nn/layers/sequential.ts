import type { Tensor } from '../../tensor/graph/tensor.ts';
import { Layer, type Module } from '../module.ts';

/** Layers one after another, named 0, 1, ... or by the keys of an object, which must not look like integers. */
export class Sequential extends Layer {
  readonly #layers: ReadonlyMap<string, Layer>;

  constructor(layers: readonly Layer[] | Readonly<Record<string, Layer>>) {
    super();
    this.#layers = new Map(Object.entries(layers));
  }

  override namedChildren(): [string, Module][] {
    return [...this.#layers];
  }

  forward(x: Tensor): Tensor {
    return [...this.#layers.values()].reduce((y, layer) => layer.forward(y), x);
  }
}
