import { refuseForeign } from '../../tensor/graph/copies.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import { formatValue, isPlainObject } from '../../tensor/graph/wording.ts';
import { Layer, type Module } from '../module.ts';

/**
 * Layers one after another, named 0, 1, ... or by the keys of an object: new Sequential(a, b), new Sequential([a, b]) or
 * new Sequential({ first: a, second: b }). Throws a TypeError for what is no layer and for keys that look like integers, which
 * JavaScript would put in another order.
 */
export class Sequential extends Layer {
  readonly #layers: ReadonlyMap<string, Layer>;

  constructor(
    layers: readonly Layer[] | Readonly<Record<string, Layer>> | Layer = [],
    ...more: readonly Layer[]
  ) {
    super();
    const list = layers instanceof Layer || more.length > 0 ? [layers, ...more] : layers;
    if (!Array.isArray(list) && !isPlainObject(list))
      throw new TypeError(`Sequential takes layers, got ${formatValue(list)}`);
    this.#layers = new Map(Object.entries(list as Readonly<Record<string, Layer>>));
    for (const [name, layer] of this.#layers as ReadonlyMap<string, unknown>) {
      refuseForeign(`Sequential: ${name}`, layer);
      if (!(layer instanceof Layer))
        throw new TypeError(`Sequential: ${name} is ${formatValue(layer)}, which is no layer`);
      if (!Array.isArray(list) && /^\d+$/.test(name))
        throw new TypeError(
          `Sequential: the key ${name} looks like an integer: give an array, or another name`,
        );
    }
  }

  override namedChildren(): [string, Module][] {
    return [...this.#layers];
  }

  forward(x: Tensor): Tensor {
    return [...this.#layers.values()].reduce((y, layer) => layer.forward(y), x);
  }
}
