import type { Ceilings } from '../src/gpu/ceilings.ts';
import type { Device } from '../src/index.ts';
import { inspect } from '../src/inspect/inspect.ts';
import { roofline, type RooflinePoint } from '../src/inspect/roofline.ts';
import { time } from '../src/inspect/time.ts';
import type { InspectedDispatch } from '../src/inspect/types.ts';
import type { Precision } from '../src/tensor/graph/recording.ts';
import { feedsOf, prepare, type ModelName } from './model.ts';

/** One kernel at one shape in the training step of a net. */
export interface KernelResult extends Pick<
  RooflinePoint,
  'units' | 'intensity' | 'flopsPerSecond' | 'bytesPerSecond' | 'share' | 'bound'
> {
  readonly net: ModelName;
  readonly kernel: string;
  readonly shape: string;
  /** What is fused into it. */
  readonly reasons: readonly string[];
  /** How many dispatches of the step are like this. */
  readonly count: number;
  /** Of one of them: the median over the runs, and the mean over those that are alike. */
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

interface NetKernels {
  readonly net: ModelName;
  readonly batch: number;
  /** Of a whole step, from asking for it to its end: the median. */
  readonly stepMilliseconds: number;
  /** The dearest first: by the time of all that are alike. */
  readonly kernels: readonly KernelResult[];
}

interface KernelBenchOptions {
  readonly batch: number;
  readonly repeats: number;
  readonly precision: Precision;
  readonly ceilings: Ceilings;
}

/**
 * Times every dispatch of a net's training step, forward and backward, as the device plans it, against what the device can do at most.
 * Throws an Error where the device cannot time them apart.
 */
export async function benchKernels(
  device: Device,
  net: ModelName,
  { batch, repeats, precision, ceilings }: KernelBenchOptions,
): Promise<NetKernels> {
  const training = prepare(device, net, batch);
  const step = device.compile(training.step, { precision });
  const feeds = feedsOf(training, batch);
  try {
    const { milliseconds, dispatches: times, note } = await time(step, feeds, { repeats });
    if (times === null) throw new Error(note ?? 'this device cannot time its kernels apart');
    const { dispatches } = inspect(step, feeds);
    const kernels = grouped(dispatches, times).flatMap(([group, total]) =>
      place(net, group, total / group.length, ceilings),
    );
    const cost = (one: KernelResult): number => one.count * one.milliseconds;
    kernels.sort((a, b) => cost(b) - cost(a));
    return { net, batch, stepMilliseconds: milliseconds, kernels };
  } finally {
    step.dispose();
    training.dispose();
  }
}

/** Dispatches that do the same work by the same kernel, with the sum of their times. */
function grouped(
  dispatches: readonly InspectedDispatch[],
  times: readonly number[],
): [readonly InspectedDispatch[], number][] {
  const groups = new Map<string, [InspectedDispatch[], number]>();
  dispatches.forEach((dispatch, i) => {
    const { kernel, shape, flops, bytes, reasons } = dispatch;
    const key = [kernel, shape, flops, bytes, ...reasons].join('|');
    const [group, total] = groups.get(key) ?? [[], 0];
    groups.set(key, [[...group, dispatch], total + (times[i] ?? 0)]);
  });
  return [...groups.values()];
}

/** Empty for a kernel that took no time that can be measured, or did nothing. */
function place(
  net: ModelName,
  group: readonly InspectedDispatch[],
  milliseconds: number,
  ceilings: Ceilings,
): KernelResult[] {
  const [first] = group;
  if (first === undefined) return [];
  const { kernel, shape, reasons, flops, units, bytes } = first;
  return roofline([{ kernel, flops, units, bytes, milliseconds }], ceilings).points.map(
    ({ intensity, flopsPerSecond, bytesPerSecond, share, bound }) => ({
      net,
      ...{ kernel, shape, reasons, count: group.length, milliseconds, flops, bytes },
      ...{ units, intensity, flopsPerSecond, bytesPerSecond, share, bound },
    }),
  );
}
