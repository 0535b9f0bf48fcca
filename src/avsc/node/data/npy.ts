// Writes NumPy's .npy format, version 1.0 (numpy.lib.format), so that features can be read in Python.

/** The bytes of a .npy file with f32 values in row-major order. Throws a RangeError if their number does not match the shape. */
export function encodeNpy(data: Float32Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length)
    throw new RangeError(`shape ${shape.join(' x ')} has ${count} values, got ${data.length}`);
  const sizes = shape.length === 1 ? `${count},` : shape.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  // The header is padded with blanks and a newline, so that the values begin at a multiple of 64.
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const file = new Uint8Array(start + data.byteLength).fill(0x20, 0, start);
  file.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0]);
  new DataView(file.buffer).setUint16(8, start - 10, true);
  file.set(new TextEncoder().encode(text), 10);
  file[start - 1] = 0x0a;
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return file;
}
