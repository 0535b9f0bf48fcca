import { asError } from '../graph/errors.ts';

/** Runs work on the device strictly in the order in which it was asked for; at once when nothing is under way. */
export class WorkQueue {
  #pending = 0;
  #tail: Promise<unknown> = Promise.resolve();

  /** True when nothing is under way, so that work asked for now runs at once. */
  get isIdle(): boolean {
    return this.#pending === 0;
  }

  run<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#pending > 0) return this.#follow(this.#tail.then(work));
    try {
      const result = work();
      return result instanceof Promise ? this.#follow(result) : Promise.resolve(result);
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  /** Resolves when all work asked for so far has ended, well or not. */
  async idle(): Promise<void> {
    while (this.#pending > 0) await this.#tail;
  }

  #follow<T>(result: Promise<T>): Promise<T> {
    this.#pending++;
    // A failure is its caller's to see; what comes after runs all the same.
    this.#tail = result.then(
      () => this.#pending--,
      () => this.#pending--,
    );
    return result;
  }
}
