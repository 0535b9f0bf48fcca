/** Random access to the bytes of a file in memory, in a Blob, on disk or on a server. */
export interface ByteSource {
  /** Size of the file in bytes. */
  readonly size: number;
  /** True if reads cost a round trip to a server, so that checks of single elements wait until these are read. */
  readonly remote?: boolean;
  /** Says that the bytes [begin, end) will be read in a moment, so that one request can fetch them. Gives no error. */
  readonly expect?: (begin: number, end: number) => void;
  /**
   * The bytes [begin, end) in a buffer of their own, which the caller may keep and change. Throws an Error of one sentence
   * if they cannot be read, and a RangeError if they do not lie within the file.
   */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A source with its name in messages; '' if it has none. */
export interface NamedSource {
  readonly bytes: ByteSource;
  readonly name: string;
}

/** A file in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (begin, end) => {
      checkRange(begin, end, bytes.length);
      // slice() would be a view if `bytes` is a Node Buffer.
      return Promise.resolve(new Uint8Array(bytes.subarray(begin, end)));
    },
  };
}

/** A Blob, such as a file chosen by a page's user or the body of a response. Only the requested ranges are read. */
export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (begin, end) => {
      checkRange(begin, end, blob.size);
      return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
    },
  };
}

/** Throws a RangeError unless 0 <= begin <= end <= size. */
export function checkRange(begin: number, end: number, size: number): void {
  if (Number.isSafeInteger(begin) && Number.isSafeInteger(end) && begin >= 0 && begin <= end && end <= size)
    return;
  throw new RangeError(`bytes ${begin} to ${end} do not lie within a file of ${size} bytes`);
}
