import { accumulateOp, addOp, cloneOp, copyOp, fillOp } from './basic_ops.ts';
import { createOn, record, recordOne } from './op.ts';
import { formatShape, sameShape } from './shape.ts';
import { Tensor } from './tensor.ts';

/**
 * Gradients for an op's inputs: called with the gradient of its output, the saved tensors, and for each input
 * whether its gradient is wanted. Gives one tensor or null for each input. Nothing it does is itself recorded
 * for differentiation.
 */
type Backward = (
  gradient: Tensor,
  saved: readonly Tensor[],
  needs: readonly boolean[],
) => readonly (Tensor | null)[];

export interface BackwardOptions {
  /** Keep what was saved, for a second backward through the same graph. */
  readonly retainGraph?: boolean;
}

/** One differentiable op in the history of a tensor. */
export interface GradNode {
  /** Later ops have larger numbers, so descending order is a topological one. */
  readonly sequence: number;
  /** For each input: the op that made it, or the leaf itself, or null where no gradient is wanted. */
  readonly edges: readonly (GradNode | Tensor | null)[];
  readonly needs: readonly boolean[];
  saved: readonly Tensor[] | null;
  readonly backward: Backward;
}

let sequence = 0;
let gradEnabled = true;

/** Runs `fn` without recording gradient history. `fn` must not be async: the switch is off again when it returns. */
export function noGrad<T>(fn: () => T): T {
  const before = gradEnabled;
  gradEnabled = false;
  try {
    const result = fn();
    if (result instanceof Promise) throw new TypeError('noGrad needs a function that is not async');
    return result;
  } finally {
    gradEnabled = before;
  }
}

export const isGradEnabled = (): boolean => gradEnabled;

/**
 * Gives `output` a history, if one of `inputs` requires a gradient and grad mode is on. `saved` are kept alive for
 * `back` (other handles on the same values, so that disposing the originals does no harm).
 */
export function differentiable(
  output: Tensor,
  inputs: readonly Tensor[],
  saved: readonly Tensor[],
  back: Backward,
): Tensor {
  if (!gradEnabled || !inputs.some((input) => input.requiresGrad)) return output;
  const node: GradNode = {
    sequence: sequence++,
    edges: inputs.map((input) => (input.requiresGrad ? (input.gradNode ?? input) : null)),
    needs: inputs.map((input) => input.requiresGrad),
    saved: saved.map((tensor) => new Tensor(tensor.device, tensor.value, tensor.shape)),
    backward: back,
  };
  output.requiresGrad = true;
  output.gradNode = node;
  output.device.trackGradNode(node);
  return output;
}

/** Lets go of what a node saved. */
export function releaseSaved(node: GradNode): void {
  for (const tensor of node.saved ?? []) tensor.dispose();
  node.saved = null;
}

/** Forgets how a tensor was made, and lets go of all that was saved for its backward. */
export function releaseHistory(tensor: Tensor): void {
  if (tensor.gradNode === null) return;
  for (const node of reachable(tensor.gradNode)) releaseSaved(node);
  tensor.gradNode = null;
  tensor.requiresGrad = false;
}

export function backward(root: Tensor, gradient: Tensor | undefined, options: BackwardOptions = {}): void {
  if (!root.requiresGrad) throw new Error('backward needs a tensor that depends on one with requiresGrad');
  if (gradient === undefined && root.numel !== 1) {
    throw new RangeError(
      `backward of a tensor of shape ${formatShape(root.shape)} needs a gradient of that shape`,
    );
  }
  if (gradient !== undefined && !sameShape(gradient.shape, root.shape)) {
    throw new RangeError(
      `backward: the gradient is ${formatShape(gradient.shape)}, the tensor ${formatShape(root.shape)}`,
    );
  }
  noGrad(() => {
    root.device.scope(() => {
      const seed = gradient?.detach() ?? createOn(root.device, fillOp, { shape: root.shape }, 1);
      if (root.gradNode === null) accumulateLeaf(root, seed);
      else propagate(root.gradNode, seed, options.retainGraph ?? false);
    });
  });
}

function propagate(root: GradNode, seed: Tensor, retainGraph: boolean): void {
  const gradients = new Map<GradNode, Tensor>([[root, seed]]);
  for (const node of reachable(root)) {
    const gradient = gradients.get(node);
    gradients.delete(node);
    if (gradient === undefined) continue;
    if (node.saved === null) {
      throw new Error(
        'backward was called twice through the same graph: pass { retainGraph: true } the first time',
      );
    }
    const results = node.backward(gradient, node.saved, node.needs);
    // One tensor may be the gradient of several inputs, so each edge gets a handle of its own.
    const flowing = node.edges.map((edge, i) => {
      const result = results[i];
      return edge === null || !result ? null : new Tensor(result.device, result.value, result.shape);
    });
    for (const result of results) result?.dispose();
    gradient.dispose();
    if (!retainGraph) releaseSaved(node);
    node.edges.forEach((edge, i) => {
      const own = flowing[i];
      if (edge === null || !own) return;
      if (edge instanceof Tensor) accumulateLeaf(edge, own);
      else gradients.set(edge, sum(gradients.get(edge), own));
    });
  }
}

/** Every node that gradients can flow to, later ones first. */
function reachable(root: GradNode): GradNode[] {
  const seen = new Set([root]);
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const edge of node.edges) {
      if (edge === null || edge instanceof Tensor || seen.has(edge)) continue;
      seen.add(edge);
      stack.push(edge);
    }
  }
  return [...seen].sort((a, b) => b.sequence - a.sequence);
}

function sum(soFar: Tensor | undefined, gradient: Tensor): Tensor {
  if (soFar === undefined) return gradient;
  const total = recordOne(addOp, [soFar, gradient], { shape: soFar.shape }, null);
  soFar.dispose();
  gradient.dispose();
  return total;
}

/** Adds to a leaf's gradient; the first one of a step is written where the optimiser wants it, without a copy. */
function accumulateLeaf(leaf: Tensor, gradient: Tensor): void {
  if (!sameShape(leaf.shape, gradient.shape)) {
    throw new Error(
      `gradient of shape ${formatShape(gradient.shape)} for a tensor of ${formatShape(leaf.shape)}`,
    );
  }
  const { device } = leaf;
  device.noteGradient(leaf);
  if (leaf.grad !== null) {
    record(accumulateOp, [leaf.grad, gradient], [], null);
  } else if (gradient.value.handles === 1 && device.isPending(gradient.value)) {
    // Nobody else reads this value, so it can become the gradient, in the slot if there is one.
    const slot = leaf.gradSlot?.value.place;
    if (slot) gradient.value.place = { storage: slot.storage, heap: null };
    leaf.grad = new Tensor(device, gradient.value, leaf.shape);
  } else if (leaf.gradSlot !== null) {
    leaf.grad = new Tensor(device, leaf.gradSlot.value, leaf.shape);
    record(copyOp, [leaf.grad, gradient], [], null);
  } else {
    const copy = recordOne(cloneOp, [gradient], { shape: leaf.shape }, null);
    leaf.grad = new Tensor(device, copy.value, leaf.shape);
    copy.dispose();
  }
  gradient.dispose();
}
