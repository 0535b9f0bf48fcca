/** Keeps the values that were asked for last, `capacity` of them; `drop` is called for those that go. */
export class Kept<V> {
  readonly #values = new Map<string, V>();
  readonly #capacity: number;
  readonly #drop: (value: V) => void;

  constructor(capacity: number, drop: (value: V) => void = () => undefined) {
    this.#capacity = capacity;
    this.#drop = drop;
  }

  /** The value of `key`, made unless it is kept. */
  get(key: string, make: () => V): V {
    const value = this.#values.get(key) ?? make();
    // Those asked for last stand last.
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldest] = this.#values;
    if (this.#values.size > this.#capacity && oldest !== undefined) {
      this.#values.delete(oldest[0]);
      this.#drop(oldest[1]);
    }
    return value;
  }
}
