import { maxPoolFused } from '../../../kernels/pool_fused.ts';
import { maxPoolOp } from '../../ops/pool.ts';
import type { RecordedNode } from '../../graph/node.ts';
import { activationLoad } from './forms.ts';
import { readsFrom, type Fusion } from './fusion.ts';
import { attrsOf } from './graph.ts';

/** Maxima of a norm's result, which is made in the load, or of a part of a concatenation. */
export function fuseMaxPool(fusion: Fusion, node: RecordedNode): boolean {
  const [x] = node.inputs;
  const [y, indices = null] = node.outputs;
  const form = x === undefined ? undefined : fusion.forms.get(x);
  if (y === undefined || (form?.kind !== 'activation' && form?.kind !== 'map')) return false;
  const load =
    form.kind === 'activation' ? activationLoad(form) : ({ kind: 'plain', map: form.view } as const);
  const pool = attrsOf(node, maxPoolOp);
  const { images, channels } = load.map;
  const target = fusion.target(y, { images, channels, pixels: pool.output[0] * pool.output[1] });
  if (readsFrom(load, target.buffer)) return false;
  if (form.kind === 'activation' && x !== undefined)
    fusion.note(form.relu ? 'normReluInLoad' : 'normInLoad', ...fusion.makersOf(x));
  fusion.noteSlot(y);
  fusion.emit(maxPoolFused(fusion.context(node), load, target, indices?.storage ?? null, pool));
  fusion.written(y);
  return true;
}
