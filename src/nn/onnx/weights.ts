import type { Device } from '../../tensor/device.ts';
import { Tensor } from '../../tensor/graph/tensor.ts';
import type { Value } from '../../tensor/graph/value.ts';
import type { Named } from './graph.ts';
import type { Weight } from './model.ts';
import type { TracedGraph } from './trace.ts';

/**
 * The captured tensors of a trace as weights. Tensors in `names` outlive the trace and are read when they are written; others
 * are read at once. Releases the captured tensors.
 */
export async function weightsOf(
  device: Device,
  { captured }: TracedGraph,
  names: ReadonlyMap<Value, Named>,
): Promise<Weight[]> {
  const weights: Weight[] = [];
  for (const [name, { value, shape }] of captured) {
    const load = async (): Promise<Uint8Array> => {
      const tensor = new Tensor(device, value);
      try {
        const { buffer, byteOffset, byteLength } = await device.read(tensor);
        return new Uint8Array(buffer, byteOffset, byteLength);
      } finally {
        tensor.dispose();
      }
    };
    const length = value.bytes;
    const early = names.has(value) ? undefined : await load();
    device.release(value.storage);
    const bytes = { length, load: early === undefined ? load : () => Promise.resolve(early) };
    weights.push({ name, dtype: value.dtype, shape, bytes });
  }
  return weights;
}
