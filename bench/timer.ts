/** Work on the host, by its name. */
export interface HostWork {
  readonly name: string;
  readonly run: () => unknown;
}

export interface HostTime {
  readonly name: string;
  /** Median. */
  readonly milliseconds: number;
  readonly repeats: number;
}

/** Times each work on this thread, `repeats` times after one that is not counted. Throws what the work throws. */
export async function timeHost(works: readonly HostWork[], repeats: number): Promise<HostTime[]> {
  // Loaded here, since the other commands do without it.
  const { Bench } = await import('tinybench');
  const bench = new Bench({ iterations: repeats, time: 0, warmupIterations: 1, warmupTime: 0, throws: true });
  for (const { name, run } of works) bench.add(name, run);
  await bench.run();
  return bench.tasks.map(({ name, result }) => {
    if (!('latency' in result)) throw new Error(`${name} was not measured: ${result.state}`);
    const { p50, samplesCount } = result.latency;
    return { name, milliseconds: p50, repeats: samplesCount };
  });
}
