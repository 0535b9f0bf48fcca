import { checkOptions, required, whole, wholePair, type OptionKinds } from '../graph/options.ts';
import { formatValue, isPlainObject } from '../graph/wording.ts';

/** Whole pixels of a picture, from its upper left corner. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A side in pixels, or [height, width]. */
export type PixelSize = number | readonly [number, number];

export interface PixelOptions {
  /** Of the result. By default `resize`, and without that the picture's own. */
  readonly size?: PixelSize;
  /**
   * To which the picture (or its crop) is squashed, whatever its proportions; the result is the middle of it. By default `size`.
   * Nets that were trained by "resize to 256, then the central 224" want `{ resize: 256, size: 224 }`.
   */
  readonly resize?: PixelSize;
  /**
   * What is taken of the picture before anything else: a rectangle of whole pixels, or with `center` the largest rectangle around
   * its middle that has the proportions of `resize`, so that nothing is distorted. By default all of it.
   */
  readonly crop?: 'center' | Rectangle;
  /** Subtracted from values between 0 and 1, for all channels or for R, G and B. Default 0. */
  readonly mean?: number | readonly [number, number, number];
  /** Divides after that. Default 1. */
  readonly std?: number | readonly [number, number, number];
}

/** A number for all channels, or one for each of R, G and B. */
const perChannel = (range: string, holds: (value: number) => boolean) => ({
  what: `a number${range}, or one for each of R, G and B`,
  accepts: (value: unknown): boolean =>
    (Array.isArray(value) ? value.length === 3 : true) &&
    [value].flat().every((part) => typeof part === 'number' && Number.isFinite(part) && holds(part)),
});

export const MEAN = perChannel('', () => true);
export const STD = perChannel(' above 0', (value) => value > 0);

const PIXEL_OPTIONS: OptionKinds<PixelOptions> = {
  size: wholePair(1),
  resize: wholePair(1),
  crop: {
    what: "'center' or a rectangle { x, y, width, height }",
    accepts: (value) => value === 'center' || isPlainObject(value),
  },
  mean: MEAN,
  std: STD,
};

const RECTANGLE: OptionKinds<Rectangle> = {
  x: required(whole(0)),
  y: required(whole(0)),
  width: required(whole(1)),
  height: required(whole(1)),
};

/** Throws a TypeError or RangeError for options that `fromPixels` does not have. */
export function checkPixelOptions(options: PixelOptions): PixelOptions {
  checkOptions('fromPixels', options, PIXEL_OPTIONS);
  const { crop } = options;
  if (isPlainObject(crop)) checkOptions('fromPixels: crop', crop as unknown as Rectangle, RECTANGLE);
  if (crop === 'center' && options.size === undefined && options.resize === undefined)
    throw new TypeError("fromPixels: crop 'center' needs a size, whose proportions it takes");
  return options;
}

/** How a picture is cropped and resized; sizes are [height, width]. */
export interface View {
  readonly crop: Rectangle;
  readonly resize: readonly [number, number];
  readonly size: readonly [number, number];
}

/** Throws a RangeError where the crop is not in the picture, or the result is larger than what it is cut from. */
export function viewOf(
  what: string,
  { width, height }: { readonly width: number; readonly height: number },
  options: PixelOptions,
  maxSide: number,
): View {
  const given = options.resize ?? options.size;
  const whole: Rectangle = { x: 0, y: 0, width, height };
  const wanted = given === undefined ? null : pairOf(given);
  const crop = options.crop === 'center' ? centerOf(whole, wanted) : (options.crop ?? whole);
  if (crop.x + crop.width > width || crop.y + crop.height > height) {
    throw new RangeError(
      `fromPixels: a crop of ${crop.width} x ${crop.height} at (${crop.x}, ${crop.y}) is not inside ${what} of ${width} x ${height}`,
    );
  }
  const resize = wanted ?? [crop.height, crop.width];
  const size = options.size === undefined ? resize : pairOf(options.size);
  if (size[0] > resize[0] || size[1] > resize[1]) {
    throw new RangeError(
      `fromPixels: a size of ${formatValue(size)} cannot be cut from ${formatValue(resize)}, to which the picture is resized`,
    );
  }
  const longest = Math.max(...resize);
  if (longest > maxSide)
    throw new RangeError(`fromPixels: ${longest} pixels are more than the device's ${maxSide} on a side`);
  return { crop, resize, size };
}

const pairOf = (size: PixelSize): readonly [number, number] =>
  typeof size === 'number' ? [size, size] : size;

function centerOf(whole: Rectangle, wanted: readonly [number, number] | null): Rectangle {
  const [rows, columns] = wanted ?? [whole.height, whole.width];
  const wide = whole.width * rows > whole.height * columns;
  const width = wide ? Math.max(1, Math.round((whole.height * columns) / rows)) : whole.width;
  const height = wide ? whole.height : Math.max(1, Math.round((whole.width * rows) / columns));
  return {
    x: Math.round((whole.width - width) / 2),
    y: Math.round((whole.height - height) / 2),
    width,
    height,
  };
}

/** One number for each of so many channels. */
export const channelsOf = (value: number | readonly number[], channels = 3): number[] =>
  typeof value === 'number' ? Array.from({ length: channels }, () => value) : [...value];
