import type { DType } from '../../../gpu/dispatch.ts';
import { dtypeOfArray } from '../../../tensor/graph/dtype.ts';
import type { HostTensor, StateDict } from '../../state.ts';
import { checkpointTensor, type CheckpointFile, type CheckpointTensor } from '../checkpoint.ts';
import { byteCount, decodeElements, type FileDType } from '../elements.ts';
import { encodeHeader, headerEnd, parseHeader, type SafetensorsHeader } from './header.ts';
import type { ByteSource } from '../source.ts';

export type { SafetensorsEntry, SafetensorsHeader } from './header.ts';

export interface Safetensors {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: StateDict;
}

/** A tensor that can be written. */
export type WritableTensor = Pick<CheckpointTensor, 'dtype' | 'shape' | 'readBytes'>;

const FILE_DTYPES = { f32: 'F32', i32: 'I32', u32: 'U32', f16: 'F16', u8: 'U8' } as const satisfies Record<
  DType,
  FileDType
>;

/**
 * Reads only the header. Throws an Error of one sentence if the file is not safetensors, is truncated, or has a header that
 * contradicts itself or the file's size. No allocation depends on sizes in the header.
 */
export function readSafetensorsHeader(file: Uint8Array): SafetensorsHeader {
  const start = headerEnd(file.subarray(0, 8), file.length);
  return parseHeader(file.subarray(8, start), start, file.length);
}

/**
 * Reads a whole file. F16, BF16 and F64 become f32; integers and BOOL become i32, U32 stays u32.
 * Throws as `readSafetensorsHeader` does, and a RangeError if an I64 does not fit into i32.
 */
export function readSafetensors(file: Uint8Array): Safetensors {
  const { metadata, entries } = readSafetensorsHeader(file);
  const tensors = new Map<string, HostTensor>();
  for (const [name, { dtype, shape, begin, end }] of entries) {
    // A copy, because elements need not be aligned in the file. slice() would be a view if the file is a Node Buffer.
    const data = decodeElements(dtype, new Uint8Array(file.subarray(begin, end)).buffer, name);
    tensors.set(name, { shape, data });
  }
  return { metadata, tensors };
}

/** Opens a file whose tensors are read on demand, one by one. Throws as `readSafetensorsHeader` does. */
export async function readSafetensorsFile(source: ByteSource): Promise<CheckpointFile> {
  const start = headerEnd(await source.read(0, Math.min(8, source.size)), source.size);
  const { metadata, entries } = parseHeader(await source.read(8, start), start, source.size);
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, { dtype, shape, begin, end }] of entries) {
    tensors.set(
      name,
      checkpointTensor(name, dtype, shape, () => source.read(begin, end)),
    );
  }
  return { format: 'safetensors', tensors, metadata };
}

/**
 * The bytes of a file with these tensors, in their order; equal input gives equal bytes. Throws a RangeError if a
 * tensor's number of elements differs from its shape's, or its name is `__metadata__`.
 */
export function writeSafetensors(
  tensors: StateDict,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> {
  const head = encodeHeader(
    [...tensors].map(([name, { shape, data }]) => {
      return { name, dtype: FILE_DTYPES[dtypeOfArray(data)], shape, bytes: data.byteLength };
    }),
    metadata,
  );
  const elements = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const file = new Uint8Array(head.length + elements);
  file.set(head);
  let to = head.length;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), to);
    to += data.byteLength;
  }
  return file;
}

/**
 * The bytes of a file piece by piece, in the tensors' own dtypes, with one tensor at a time in memory. Throws a RangeError as
 * `writeSafetensors` does, and the errors of reading a tensor.
 */
export async function* safetensorsPieces(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield encodeHeader(
    [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape, bytes: byteCount(dtype, shape) })),
    metadata,
  );
  for (const [name, tensor] of tensors) {
    const piece = await tensor.readBytes();
    const expected = byteCount(tensor.dtype, tensor.shape);
    if (piece.length !== expected) {
      throw new RangeError(`tensor ${name} has ${piece.length} bytes instead of ${expected}`);
    }
    yield piece;
  }
}
