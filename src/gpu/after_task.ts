/** Keeps things until the task under way ends, while commands are encoded that its caller submits before. */
export class AfterTask {
  #waiting: (() => void)[] | null = null;

  /** From now to the end of the task, `defer` keeps things. `then` is called at its end. */
  start(then: () => void): void {
    if (this.#waiting === null) {
      this.#waiting = [];
      setTimeout(() => this.#end(), 0);
    }
    this.#waiting.push(then);
  }

  /** Calls `work` at the task's end and gives true, if there is something to wait for. */
  defer(work: () => void): boolean {
    this.#waiting?.push(work);
    return this.#waiting !== null;
  }

  #end(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const work of waiting) work();
  }
}
