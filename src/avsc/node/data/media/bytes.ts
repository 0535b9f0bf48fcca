// What the inspections of containers share.

/** Random access to a file. Reads fewer bytes at its end. */
export interface Bytes {
  readonly size: number;
  read(offset: number, length: number): DataView;
}

/** What a container says of its file. */
export interface Inspection {
  /** What shows that the file was cut, as a clause; null if nothing does. */
  readonly cut: string | null;
  /** Bytes of the file that a reader should see. */
  readonly end: number;
}

/** The clause about a file that describes more bytes than it has; null if it does not. */
export function cutAt(described: number, size: number): string | null {
  return described > size ? `its header describes ${described} bytes, it has ${size}` : null;
}
