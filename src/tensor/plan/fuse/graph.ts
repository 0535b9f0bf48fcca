import type { Op, RecordedNode } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';

/** Who reads what in a list of nodes. */
export class Graph {
  readonly #readers = new Map<Value, RecordedNode[]>();

  constructor(nodes: readonly RecordedNode[]) {
    for (const node of nodes) {
      for (const input of new Set(node.inputs)) {
        const list = this.#readers.get(input);
        if (list === undefined) this.#readers.set(input, [node]);
        else list.push(node);
      }
    }
  }

  readersOf(value: Value): readonly RecordedNode[] {
    return this.#readers.get(value) ?? [];
  }

  /** The one node that reads the value, if that is a use of the op. */
  onlyReader(value: Value, op: Op<never>): RecordedNode | null {
    const [reader, ...more] = this.readersOf(value);
    return reader !== undefined && more.length === 0 && reader.op === op ? reader : null;
  }
}

/** True where nothing outside the plan can ask for the value, so that it need not exist. */
export const isInternal = ({ storage }: Value): boolean => storage.handles === 0 && !storage.resident;

/** The attrs of a node whose op was compared with `op` before. */
export const attrsOf = <Attrs>(node: RecordedNode, op: Op<Attrs>): Attrs => {
  if ((node.op as Op<unknown>) !== (op as Op<unknown>))
    throw new Error(`${node.op.name} does not have the attributes of ${op.name}`);
  return node.attrs as Attrs;
};
