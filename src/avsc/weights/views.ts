// Tensors of a file in another layout: nothing is read before they are.

import { decodeElements, ELEMENT_BYTES } from '../../nn/checkpoint/elements.ts';
import type { CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { elementCount, formatShape, type Shape } from '../../tensor/shape.ts';

/** How a view walks through the tensor it is of. */
export interface Layout {
  /** Axis of the tensor that each axis of the view is; default: as they are. */
  readonly permute?: readonly number[];
  /** Axes of the tensor that run backwards. Default none. */
  readonly flip?: readonly number[];
}

/** The elements in another order, with the file's element type. Throws a RangeError if the rank is not the layout's. */
export function viewOf(tensor: CheckpointTensor, layout: Layout): CheckpointTensor {
  const { shape, dtype } = tensor;
  const { permute = shape.map((_, axis) => axis), flip = [] } = layout;
  if (permute.length !== shape.length || flip.some((axis) => axis >= shape.length)) {
    throw new RangeError(`a tensor of shape ${formatShape(shape)} has not the rank that its layout needs`);
  }
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const offset = flip.reduce((sum, axis) => sum + ((shape[axis] ?? 1) - 1) * (strides[axis] ?? 0), 0);
  const axes = permute.map((axis) => {
    const stride = strides[axis] ?? 0;
    return { size: shape[axis] ?? 0, stride: flip.includes(axis) ? -stride : stride };
  });
  const readBytes = async (): Promise<Uint8Array<ArrayBuffer>> =>
    gather(await tensor.readBytes(), ELEMENT_BYTES[dtype], axes, offset);
  const viewShape = axes.map(({ size }) => size);
  const read = async () => ({
    shape: viewShape,
    data: decodeElements(dtype, (await readBytes()).buffer, 'of a view'),
  });
  return { dtype, shape: viewShape, readBytes, read };
}

/** f32 elements made from those of a tensor when they are read. */
export function computedFrom(
  tensor: CheckpointTensor,
  shape: Shape,
  make: (values: ArrayLike<number>) => Float32Array<ArrayBuffer>,
): CheckpointTensor {
  return computed(shape, async () => make((await tensor.read()).data));
}

/** f32 elements that are made when they are read. */
export function computed(shape: Shape, make: () => Promise<Float32Array<ArrayBuffer>>): CheckpointTensor {
  return {
    dtype: 'F32',
    shape,
    readBytes: async () => new Uint8Array((await make()).buffer),
    read: async () => ({ shape, data: await make() }),
  };
}

interface Axis {
  readonly size: number;
  readonly stride: number;
}

function gather(
  source: Uint8Array,
  width: number,
  axes: readonly Axis[],
  offset: number,
): Uint8Array<ArrayBuffer> {
  const count = elementCount(axes.map(({ size }) => size));
  const result = new Uint8Array(count * width);
  const index = axes.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    for (let b = 0; b < width; b++) result[to * width + b] = source[from * width + b] ?? 0;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, stride } = axes[axis] as Axis;
      const next = (index[axis] ?? 0) + 1;
      from += stride;
      if (next < size) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= size * stride;
    }
  }
  return result;
}
