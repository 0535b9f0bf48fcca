import { refuseForeign } from './copies.ts';
import { accumulateOp, addOp, cloneOp, fillOp } from './basic_ops.ts';
import { createOn, record, recordOne } from './op.ts';
import { checkOptions, flag, type OptionKinds } from './options.ts';
import { formatShape, sameShape } from './shape.ts';
import { Tensor, type Backward, type GradientScale, type GradNode } from './tensor.ts';
import { formatValue, isPlainObject } from './wording.ts';

export type { GradNode } from './tensor.ts';

export interface BackwardOptions {
  /** Keep what was saved, for a second backward through the same graph. */
  readonly retainGraph?: boolean;
}

let sequence = 0;
let gradEnabled = true;

/** Number of the next differentiable op. */
export const nextSequence = (): number => sequence;

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
    name: output.value.label,
    sequence: sequence++,
    edges: inputs.map((input) => (input.requiresGrad ? (input.gradNode ?? input) : null)),
    needs: inputs.map((input) => input.requiresGrad),
    saved: saved.map((tensor) => new Tensor(tensor.recorder, tensor.value)),
    versions: saved.map(({ value }) => value.storage.version),
    backward: back,
  };
  output.setHistory(node);
  output.recorder.trackGradNode(node);
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
  tensor.dropHistory();
}

const BACKWARD_OPTIONS: OptionKinds<BackwardOptions> = { retainGraph: flag };

/**
 * Gradients of `root` with respect to every leaf that requires one, added to the leaves' `grad`. `gradient` flows in, of root's shape;
 * for a scalar it is 1 by default. Options may stand in its place. Throws an Error if there is no history, or if what it saved is
 * gone or was changed in place since.
 */
export function backward(
  root: Tensor,
  gradient?: Tensor | BackwardOptions | null,
  options?: BackwardOptions,
): void {
  const inPlace = isPlainObject(gradient);
  const given: BackwardOptions = (inPlace ? gradient : options) ?? {};
  const { retainGraph = false } = checkOptions('backward', given, BACKWARD_OPTIONS);
  const seed = inPlace ? null : ((gradient as Tensor | null | undefined) ?? null);
  refuseForeign('backward', seed);
  if (seed !== null && !(seed instanceof Tensor))
    throw new TypeError(`backward takes a gradient as a tensor, got ${formatValue(seed)}`);
  if (!root.requiresGrad) {
    throw new Error(
      'backward needs a tensor that depends on one with requiresGrad: results of compiled functions, of noGrad and detach, and ' +
        'gradients (there is no double backward) have no history',
    );
  }
  if (seed === null && root.numel !== 1) {
    throw new RangeError(
      `backward of a tensor of shape ${formatShape(root.shape)} needs a gradient of that shape`,
    );
  }
  if (seed !== null && seed.recorder !== root.recorder)
    throw new Error('backward: the gradient lies on another device than the tensor');
  if (seed !== null && !sameShape(seed.shape, root.shape)) {
    throw new RangeError(
      `backward: the gradient is ${formatShape(seed.shape)}, the tensor ${formatShape(root.shape)}`,
    );
  }
  if (seed !== null && seed.dtype !== 'f32')
    throw new TypeError(`backward takes a gradient of f32, got ${seed.dtype}: cast it first`);
  noGrad(() => {
    root.recorder.scope(() => {
      const { lossScale } = root.recorder;
      const flowing =
        lossScale?.begin(root, seed) ??
        seed?.detach() ??
        createOn(root.recorder, fillOp, { shape: root.shape }, 1);
      const leaves = new Leaves(lossScale?.scales === true ? lossScale : null);
      if (root.gradNode === null) leaves.accumulate(root, flowing);
      else propagate(root.gradNode, flowing, retainGraph, leaves);
      leaves.finish();
    });
  });
}

function propagate(root: GradNode, seed: Tensor, retainGraph: boolean, leaves: Leaves): void {
  const { tracedFrom } = seed.recorder;
  const gradients = new Map<GradNode, Tensor>([[root, seed]]);
  const nodes = reachable(root);
  // Before any gradient is added to.
  for (const node of nodes) checkSaved(node, tracedFrom);
  for (const node of nodes) {
    const gradient = gradients.get(node);
    gradients.delete(node);
    if (gradient === undefined) continue;
    const results = node.backward(gradient, node.saved ?? [], node.needs);
    // One tensor may be the gradient of several inputs, so each edge gets a handle of its own.
    const flowing = node.edges.map((edge, i) => {
      const result = results[i];
      return edge === null || !result ? null : new Tensor(result.recorder, result.value);
    });
    for (const result of results) result?.dispose();
    gradient.dispose();
    if (!retainGraph) releaseSaved(node);
    node.edges.forEach((edge, i) => {
      const own = flowing[i];
      if (edge === null || !own) return;
      if (edge instanceof Tensor) leaves.accumulate(edge, own);
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

/** Refuses what was let go of, and what was changed in place since it was saved, as PyTorch's version counters do. */
function checkSaved({ name, sequence: made, saved, versions }: GradNode, tracedFrom: number | null): void {
  if (tracedFrom !== null && made < tracedFrom) {
    throw new Error(
      `backward in a compiled function went through ${name}, which was recorded outside of it and would be gone in the next ` +
        'call: compute it inside',
    );
  }
  if (saved === null) {
    throw new Error(
      `backward went through ${name} before, which let go of what it had saved: call the first backward with ` +
        '{ retainGraph: true }, or run the forward again',
    );
  }
  const changed = saved.find(({ value }, i) => value.storage.version !== versions[i]);
  if (changed === undefined) return;
  throw new Error(
    `backward through ${name} needs ${changed.value.label} as it was in the forward, but it was changed in place since ` +
      '(by an optimiser step, say): call backward before that, or run the forward again',
  );
}

/** The leaves that a backward reaches. */
class Leaves {
  /** Takes the loss scale out of their gradients; null where the backward is not scaled. */
  readonly #scale: GradientScale | null;
  /** Leaves without a gradient before, whose gradients are scaled until the end. */
  readonly #fresh = new Set<Tensor>();

  constructor(scale: GradientScale | null) {
    this.#scale = scale;
  }

  /** Adds to a leaf's gradient; the first one of a step is written to the gradient's storage, without a copy. */
  accumulate(leaf: Tensor, gradient: Tensor): void {
    if (!sameShape(leaf.shape, gradient.shape)) {
      throw new Error(
        `gradient of shape ${formatShape(gradient.shape)} for a tensor of ${formatShape(leaf.shape)}`,
      );
    }
    leaf.recorder.noteGradient(leaf, 'needed');
    const { grad } = leaf;
    if (grad === null) {
      startGradient(leaf, gradient);
      this.#fresh.add(leaf);
    } else if (this.#scale !== null && !this.#fresh.has(leaf)) this.#scale.accumulate(grad, gradient);
    else record(accumulateOp, [grad, gradient], [], null);
    gradient.dispose();
  }

  /** Leaves true gradients, and notes an overflow. */
  finish(): void {
    const gradients = [...this.#fresh].flatMap(({ grad }) => grad ?? []);
    if (gradients.length > 0) this.#scale?.unscale(gradients);
  }
}

function startGradient(leaf: Tensor, gradient: Tensor): void {
  const { recorder } = leaf;
  const { value } = gradient;
  const slot = recorder.gradientSlot(leaf);
  const { storage } = value;
  if (storage.handles === 1 && !storage.shared && recorder.isPending(value)) {
    // Nobody else reads this value, so it can become the gradient.
    recorder.claimGradient(value, slot);
    leaf.replaceGrad(new Tensor(recorder, value));
  } else {
    const copy = recordOne(cloneOp, [gradient], { shape: leaf.shape }, null);
    recorder.claimGradient(copy.value, slot);
    leaf.replaceGrad(new Tensor(recorder, copy.value));
    copy.dispose();
  }
}
