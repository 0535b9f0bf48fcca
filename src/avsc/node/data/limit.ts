// A limit on what runs at once.

/** Files to look at at once: Node's thread pool has four threads, the rest waits in its queue. */
export const FILES_AT_ONCE = 64;

/** Runs work so that at most `limit` pieces of it are under way at once, in the order in which it was asked for. */
export class Limit {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The place goes to the next that waits.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** The results of `work` on each item, in order, with at most `limit` under way at once. */
export function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const limited = new Limit(limit);
  return Promise.all(items.map((item) => limited.run(() => work(item))));
}

/** Waits until all work has ended, and throws the first failure then: none of it goes on in the background. */
export async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}
