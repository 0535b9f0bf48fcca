import { releaseSaved, type GradNode } from './autograd.ts';
import { Tensor } from './tensor.ts';

/** Tensors and gradient history made since a scope began. */
export class Scope {
  readonly tensors = new Set<Tensor>();
  readonly gradNodes: GradNode[] = [];

  /** Disposes everything but what `result` holds and needs for its backward; gives what stays. */
  close(result: unknown): { tensors: Tensor[]; gradNodes: GradNode[] } {
    const kept = new Set(tensorsIn(result));
    const history = historyOf(kept);
    for (const tensor of this.tensors) {
      if (!kept.has(tensor)) tensor.dispose('was disposed when its scope ended; return it to keep it');
    }
    for (const node of this.gradNodes) if (!history.has(node)) releaseSaved(node);
    return {
      tensors: [...this.tensors].filter((tensor) => kept.has(tensor)),
      gradNodes: this.gradNodes.filter((node) => history.has(node)),
    };
  }
}

/** The tensors in a value, in arrays and plain objects of any depth. */
export function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}

function historyOf(tensors: ReadonlySet<Tensor>): Set<GradNode> {
  const seen = new Set<GradNode>();
  const stack = [...tensors].flatMap(({ gradNode }) => gradNode ?? []);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const edge of node.edges) if (edge !== null && !(edge instanceof Tensor)) stack.push(edge);
  }
  return seen;
}
