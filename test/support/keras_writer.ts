import { File, ready } from 'h5wasm';

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
