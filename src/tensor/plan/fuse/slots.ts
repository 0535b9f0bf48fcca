import type { DType } from '../../../gpu/dispatch.ts';
import { concatOp } from '../../ops/movement.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { elementCount } from '../../graph/shape.ts';
import type { Value } from '../../graph/value.ts';
import { wholeMap, type MapView } from '../../../kernels/maps.ts';
import { attrsOf, isInternal } from './graph.ts';

/** What the kernels that write parts in their places compute with. */
const FLOATS: readonly DType[] = ['f32', 'f16'];

/**
 * Concatenation along channels without moving anything: each part is made where it belongs in the result. A result
 * that is a part of a larger one lies within that, as in a dense block, whose buffer is the last concatenation's.
 * Gives the place of every such part and of every such result.
 */
export function concatSlots(nodes: readonly RecordedNode[]): Map<Value, MapView> {
  const wholes = new Map<Value, { readonly whole: Value; readonly first: number }>();
  const shapes = new Map<Value, readonly number[]>();
  for (const node of nodes) {
    if (node.op !== concatOp) continue;
    const { shapes: parts, shape, dim } = attrsOf(node, concatOp);
    const [whole] = node.outputs;
    if (dim !== 1 || shape.length < 3 || whole === undefined || !FLOATS.includes(whole.dtype)) continue;
    // Each part has one place, and one that is asked for by name has its own.
    const free = node.inputs.every(
      (part) => isInternal(part) && !wholes.has(part) && part.dtype === whole.dtype,
    );
    if (!free || new Set(node.inputs).size < node.inputs.length) continue;
    let first = 0;
    node.inputs.forEach((part, i) => {
      const partShape = parts[i] ?? [];
      wholes.set(part, { whole, first });
      shapes.set(part, partShape);
      first += partShape[1] ?? 0;
    });
    shapes.set(whole, shape);
  }
  const slots = new Map<Value, MapView>();
  for (const [value, shape] of shapes) {
    let root = value;
    let offset = 0;
    for (let up = wholes.get(root); up !== undefined; up = wholes.get(root)) {
      root = up.whole;
      offset += up.first;
    }
    const [images = 1, channels = 1, ...pixels] = shape;
    const bufferChannels = shapes.get(root)?.[1] ?? channels;
    slots.set(value, {
      ...wholeMap(root.storage, images, channels, elementCount(pixels)),
      bufferChannels,
      offset,
    });
  }
  return slots;
}
