import { File, ready } from 'h5wasm';
import type { HostTensor } from '../../src/nn/state.ts';

/**
 * A Keras file of layers with one weight, 'w', of two elements i and i + 0.5, written by libhdf5 in the structures of a
 * version of its format; the lists of names are split, as Keras does where they are long. null makes HDF5 without layers.
 */
export async function writeKeras(
  layers: readonly string[] | null,
  format: 'earliest' | 'v108' | 'latest',
): Promise<Uint8Array> {
  const { FS } = await ready;
  const path = `${format}.h5`;
  const file = new File(path, 'w', { libver: [format, 'latest'] });
  if (layers !== null) {
    for (let part = 0; part * 500 < layers.length; part++) {
      const names = layers.slice(part * 500, (part + 1) * 500);
      file.create_attribute(layers.length > 500 ? `layer_names${part}` : 'layer_names', [...names]);
    }
    for (const [i, layer] of layers.entries()) {
      const group = file.create_group(layer);
      group.create_attribute('weight_names', [`${layer}/w:0`]);
      group.create_group(layer).create_dataset({ name: 'w:0', data: new Float32Array([i, i + 0.5]) });
    }
  }
  file.close();
  return FS.readFile(path);
}

/** A Keras file of named layers with these weights, as `save_weights` writes it. */
export async function writeKerasLayers(
  layers: Readonly<Record<string, Readonly<Record<string, HostTensor>>>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { FS } = await ready;
  const path = 'layers.h5';
  const file = new File(path, 'w');
  file.create_attribute('layer_names', Object.keys(layers));
  for (const [layer, weights] of Object.entries(layers)) {
    const group = file.create_group(layer);
    const names = Object.keys(weights).map((name) => `${layer}/${name}:0`);
    if (names.length > 0) group.create_attribute('weight_names', names);
    const inner = group.create_group(layer);
    for (const [name, { shape, data }] of Object.entries(weights)) {
      inner.create_dataset({ name: `${name}:0`, data: Float32Array.from(data), shape: [...shape] });
    }
  }
  file.close();
  return new Uint8Array(FS.readFile(path));
}
