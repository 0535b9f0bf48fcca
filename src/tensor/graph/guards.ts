/*
 * What tracing looks at on the host (training mode, requiresGrad) decides what is recorded. It is noted here, as
 * torch.compile's guards are, so that a compiled function is traced anew when it has changed.
 */

/** A host variable that tracing watches. */
export interface Watched {
  /** The value now, without it being noted. */
  peek(): unknown;
  restore(value: unknown): void;
}

/** Host variables that a trace has read before it wrote them, and those that it has written. */
export class HostTrace {
  readonly read = new Map<Watched, unknown>();
  readonly written = new Map<Watched, unknown>();
  readonly #before = new Map<Watched, unknown>();

  noteRead(variable: Watched): void {
    if (!this.read.has(variable) && !this.written.has(variable)) this.read.set(variable, variable.peek());
  }

  noteWrite(variable: Watched, value: unknown): void {
    if (!this.#before.has(variable)) this.#before.set(variable, variable.peek());
    this.written.set(variable, value);
  }

  /** True if a trace would now take the same way. */
  holds(): boolean {
    for (const [variable, value] of this.read) if (variable.peek() !== value) return false;
    return true;
  }

  /** Does what the trace did to host variables. */
  replay(): void {
    for (const [variable, value] of this.written) variable.restore(value);
  }

  /** Takes back what the trace did to host variables. */
  undo(): void {
    for (const [variable, value] of this.#before) variable.restore(value);
  }
}

let active: HostTrace | null = null;

/** The trace under way, if there is one. */
export const activeTrace = (): HostTrace | null => active;

/** Runs `fn`, noting in `trace` what it looks at. */
export function watching<T>(trace: HostTrace, fn: () => T): T {
  const outer = active;
  active = trace;
  try {
    return fn();
  } finally {
    active = outer;
  }
}
