/** Methods of Dawn whose promises are settled by polling. */
const WAITS: readonly (readonly [type: string, method: string])[] = [
  ['GPUBuffer', 'mapAsync'],
  ['GPUQueue', 'onSubmittedWorkDone'],
  ['GPUDevice', 'createComputePipelineAsync'],
  ['GPUDevice', 'popErrorScope'],
  ['GPUShaderModule', 'getCompilationInfo'],
];

/** Waits up to this many milliseconds are polled for on every turn of the event loop, later ones on every millisecond. */
const EAGER = 4;

type Method = (...args: unknown[]) => unknown;

/**
 * While one of its promises is pending, Dawn looks for its events on every turn of Node's event loop, so that waiting occupies a
 * core, which software adapters and whatever else runs on the machine need. Here Dawn pauses between polls of a long wait.
 */
export function pausePolls(types: Readonly<Record<string, { readonly prototype: object }>>): void {
  for (const [type, method] of WAITS) {
    const methods = types[type]?.prototype as Record<string, Method> | undefined;
    const wait = methods?.[method];
    if (methods === undefined || wait === undefined || patched.has(wait)) continue;
    const pausing = function (this: unknown, ...args: unknown[]): unknown {
      const end = performance.now() + EAGER;
      return withPolls(end, () => wait.apply(this, args));
    };
    patched.add(pausing);
    methods[method] = pausing;
  }
}

const patched = new WeakSet<Method>();

/** Dawn takes `setImmediate` from the global object for each poll: it is another function there while Dawn is called, and only then. */
function withPolls(eagerUntil: number, call: () => unknown): unknown {
  const { setImmediate } = globalThis;
  const schedule = (poll: () => void): unknown => {
    const next = (): unknown => withPolls(eagerUntil, poll);
    return performance.now() < eagerUntil ? setImmediate(next) : setTimeout(next, 1);
  };
  globalThis.setImmediate = schedule as unknown as typeof setImmediate;
  try {
    return call();
  } finally {
    globalThis.setImmediate = setImmediate;
  }
}
