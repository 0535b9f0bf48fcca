// Lazy views: tensors of a file in another layout, converted when they are read.

import { checkpointTensor, type CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { ELEMENT_BYTES } from '../../nn/checkpoint/elements.ts';
import { elementCount, formatShape, type Shape } from '../../tensor/graph/shape.ts';

/** How a view's axes map to those of its tensor. */
interface Layout {
  /** The tensor's axis for each axis of the view. Default: unchanged. */
  readonly permute?: readonly number[];
  /** Axes of the tensor that are reversed. Default: none. */
  readonly flip?: readonly number[];
}

/** A view of a tensor, with the file's element type. Throws a RangeError if the rank is not the layout's. */
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
  const sizes = axes.map(({ size }) => size);
  return checkpointTensor('of a view', dtype, sizes, readBytes);
}

/** A tensor of f32 elements, computed from those of another tensor when they are read. */
export function computedFrom(
  tensor: CheckpointTensor,
  shape: Shape,
  make: (values: ArrayLike<number>) => Float32Array<ArrayBuffer>,
): CheckpointTensor {
  return computed(shape, async () => make((await tensor.read()).data));
}

/** A tensor of f32 elements that are computed when they are read. */
export function computed(shape: Shape, make: () => Promise<Float32Array<ArrayBuffer>>): CheckpointTensor {
  return checkpointTensor(
    'that is computed',
    'F32',
    shape,
    async () => new Uint8Array((await make()).buffer),
  );
}

interface Axis {
  readonly size: number;
  readonly stride: number;
}

/** Elements of `width` bytes from `offset` on, along the axes, as bytes. */
function gather(
  source: Uint8Array<ArrayBuffer>,
  width: number,
  axes: readonly Axis[],
  offset: number,
): Uint8Array<ArrayBuffer> {
  switch (width) {
    case 1:
      return walk(source, new Uint8Array(countOf(axes)), axes, offset);
    case 2:
      return walk(new Uint16Array(alone(source).buffer), new Uint16Array(countOf(axes)), axes, offset);
    case 4:
      return walk(new Uint32Array(alone(source).buffer), new Uint32Array(countOf(axes)), axes, offset);
    default: {
      // Eight bytes are moved as two words.
      const words = width / 4;
      const wide = axes.map(({ size, stride }) => ({ size, stride: stride * words }));
      return gather(source, 4, [...wide, { size: words, stride: 1 }], offset * words);
    }
  }
}

/** The bytes in a buffer of their own. */
const alone = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();

const countOf = (axes: readonly Axis[]): number => elementCount(axes.map(({ size }) => size));

type Words = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

function walk(source: Words, result: Words, axes: readonly Axis[], offset: number): Uint8Array<ArrayBuffer> {
  const index = axes.map(() => 0);
  let from = offset;
  for (let to = 0; to < result.length; to++) {
    result[to] = source[from] as number;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, stride } = axes[axis] as Axis;
      const next = (index[axis] as number) + 1;
      from += stride;
      if (next < size) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= size * stride;
    }
  }
  return new Uint8Array(result.buffer);
}
