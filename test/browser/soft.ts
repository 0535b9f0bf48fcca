/** RGBA bytes of soft colors, which video codecs keep. */
export function soft(width: number, height: number): number[] {
  return Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    return [255 * x, 255 * y, 255 * (1 - x), 255].map(Math.round);
  }).flat();
}
