import type { Gpu } from '../../gpu/gpu.ts';
import type { Storage } from '../../gpu/storage.ts';
import type { LogicalStorage } from '../graph/storage.ts';
import { Tensor } from '../graph/tensor.ts';
import { Value } from '../graph/value.ts';
import { channelsOf, checkPixelOptions, viewOf, type PixelOptions } from './options.ts';
import { PixelReader } from './reader.ts';
import type { RunningDevice } from './running.ts';
import { checkSource, type PixelSource } from './sources.ts';

const readers = new WeakMap<Gpu, PixelReader>();

function readerOf(gpu: Gpu): PixelReader {
  const reader = readers.get(gpu) ?? new PixelReader(gpu);
  readers.set(gpu, reader);
  return reader;
}

/** See `Device.fromPixels`. */
export function fromPixels(
  device: RunningDevice & { allocate(storage: LogicalStorage): Storage },
  source: PixelSource | readonly PixelSource[],
  options: PixelOptions = {},
): Tensor {
  if (device.isTracing) {
    throw new Error(
      'fromPixels cannot run inside a compiled function, whose later calls would see the same picture: give the tensor as an input',
    );
  }
  const { gpu } = device.runtime;
  gpu.throwIfLost();
  const { mean = 0, std = 1 } = checkPixelOptions(options);
  const maxSide = gpu.limits.maxTextureDimension2D;
  const given: readonly unknown[] = Array.isArray(source) ? source : [source];
  if (given.length === 0) throw new RangeError('fromPixels needs at least one picture, got an empty array');
  const works = given.map((picture, i) => {
    const checked = checkSource(given.length === 1 ? 'the picture' : `picture ${i}`, picture, maxSide);
    const view = viewOf(checked.name, checked, options, maxSide);
    return { source: checked, view, mean: channelsOf(mean), std: channelsOf(std) };
  });
  const [height, width] = sharedSize(works);
  const value = Value.create('f32', [works.length, 3, height, width], 'tensor', 'tensor');
  const place = device.allocate(value.storage);
  value.storage.resident = true;
  const tensor = new Tensor(device, value);
  try {
    gpu.scoped(() => {
      const reader = readerOf(gpu);
      works.forEach((work, i) => reader.read(work, place, value.bytes, i));
    });
  } catch (error) {
    tensor.dispose();
    throw error;
  }
  return device.adopt(tensor);
}

function sharedSize(
  works: readonly { readonly view: { readonly size: readonly [number, number] } }[],
): readonly [number, number] {
  const sizes = works.map(({ view }) => view.size);
  const [first = [1, 1] as const] = sizes;
  const other = sizes.findIndex(([height, width]) => height !== first[0] || width !== first[1]);
  if (other < 0) return first;
  throw new RangeError(
    `fromPixels: pictures of ${first[1]} x ${first[0]} and ${sizes[other]?.[1] ?? 0} x ${sizes[other]?.[0] ?? 0} ` +
      `(number ${other}) cannot share a tensor: give a size`,
  );
}
