/**
 * Decompresses data (deflate with zlib's header) to exactly `size` bytes and allocates no more. Throws an Error of one sentence
 * if the data are damaged or expand to another size.
 */
export async function inflate(data: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(size);
  const { readable, writable } = new DecompressionStream('deflate');
  const writer = writable.getWriter();
  // An error of the data is reported by the reader too.
  writer.write(data).catch(() => undefined);
  writer.close().catch(() => undefined);
  const reader = readable.getReader();
  let at = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) throw new TooLong();
      out.set(value, at);
      at += value.length;
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw new Error(
      error instanceof TooLong
        ? `compressed data expand to more than the ${size} bytes they should`
        : `compressed data are damaged after ${at} of ${size} bytes`,
      { cause: error },
    );
  }
  if (at !== size) throw new Error(`compressed data expand to ${at} bytes instead of ${size}`);
  return out;
}

class TooLong extends Error {}
