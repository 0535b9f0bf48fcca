import { bytesOf, type DType } from '../../gpu/dispatch.ts';
import { elementCount, formatShape, type Shape } from './shape.ts';
import { LogicalStorage, type Role } from './storage.ts';

/** Least and largest element, where the host has seen all of them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** An edge of the graph: elements with a shape and a dtype, in memory or the result of an op that has not run. */
export class Value {
  readonly shape: Shape;
  /** Changes once at most: when the value becomes a leaf's gradient, before it is planned. */
  storage: LogicalStorage;
  /** Known for integers from the host, so that class labels and indices can be checked. */
  range: Range | null = null;
  /** Why the elements were never computed, if their run failed. */
  failure: Error | null = null;
  #epoch: number;

  constructor(shape: Shape, storage: LogicalStorage) {
    this.shape = shape;
    this.storage = storage;
    this.#epoch = storage.epoch;
  }

  /** A value with a storage of its own. */
  static create(dtype: DType, shape: Shape, what: string, role?: Role): Value {
    return new Value(
      shape,
      new LogicalStorage(dtype, elementCount(shape), `${what} ${formatShape(shape)}`, role),
    );
  }

  get dtype(): DType {
    return this.storage.dtype;
  }

  get numel(): number {
    return this.storage.length;
  }

  get bytes(): number {
    return bytesOf(this.storage);
  }

  get label(): string {
    return this.storage.label;
  }

  /** Makes `storage` the value's own; values that it held before can no longer be read. */
  moveTo(storage: LogicalStorage, why: string): void {
    storage.claim(why);
    storage.handles += this.storage.handles;
    storage.uses += this.storage.uses;
    this.storage = storage;
    this.#epoch = storage.epoch;
  }

  /** Why the elements can no longer be read, or null if they can. */
  get whyGone(): string | null {
    return this.#epoch === this.storage.epoch ? null : this.storage.whyOverwritten;
  }
}
