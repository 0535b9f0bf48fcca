// Reading NumPy's .npy format (numpy.lib.format, versions 1 to 3): one array of numbers.

import { checkpointTensor, type CheckpointTensor } from '../../nn/checkpoint/checkpoint.ts';
import { ELEMENT_BYTES, type FileDType } from '../../nn/checkpoint/elements.ts';
import { quote } from '../../nn/checkpoint/quote.ts';
import type { ByteSource } from '../../nn/checkpoint/source.ts';

const MAGIC = '\x93NUMPY';
const MAX_HEADER_BYTES = 65536;
const MAX_RANK = 32;
const HEADER =
  /^\{'descr': '([^']{1,64})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,15},? ?){0,32})\), \}\s*$/;

const DTYPES: Readonly<Record<string, FileDType>> = {
  '<f8': 'F64',
  '<f4': 'F32',
  '<f2': 'F16',
  '<i8': 'I64',
  '<i4': 'I32',
  '<i2': 'I16',
  '|i1': 'I8',
  '<u4': 'U32',
  '<u2': 'U16',
  '|u1': 'U8',
  '|b1': 'BOOL',
};

/**
 * The array of a .npy file; its elements are read on demand. Throws an Error of one sentence if the file is not .npy, is
 * truncated, is in column-major order, or does not hold little-endian numbers.
 */
export async function readNpy(source: ByteSource): Promise<CheckpointTensor> {
  const head = await source.read(0, Math.min(12, source.size));
  if (head.length < 12 || latin1(head.subarray(0, 6)) !== MAGIC) throw invalid('it does not begin as one');
  const view = new DataView(head.buffer);
  const version = head[6] ?? 0;
  if (version < 1 || version > 3) throw invalid(`its version is ${version}, known are 1 to 3`);
  const begin = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = begin + length;
  if (length > MAX_HEADER_BYTES || start > source.size) {
    throw invalid(`its header would have ${length} bytes, the file has ${source.size}`);
  }
  const { dtype, shape } = parseHeader(latin1(await source.read(begin, start)));
  const bytes = shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]);
  if (bytes !== source.size - start) {
    throw invalid(`${dtype} [${shape.join(', ')}] needs ${bytes} bytes, the file has ${source.size - start}`);
  }
  return checkpointTensor('of the .npy file', dtype, shape, () => source.read(start, source.size));
}

function parseHeader(text: string): { dtype: FileDType; shape: readonly number[] } {
  const match = HEADER.exec(text);
  if (match === null) throw invalid(`its header is ${quote(text)}`);
  const [, descr = '', fortran, sizes = ''] = match;
  const dtype = Object.hasOwn(DTYPES, descr) ? DTYPES[descr] : undefined;
  if (dtype === undefined) {
    throw invalid(`its elements are ${quote(descr)}, known are ${Object.keys(DTYPES).join(', ')}`);
  }
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  if (shape.length > MAX_RANK) throw invalid(`it has ${shape.length} dimensions`);
  if (fortran === 'True' && shape.length > 1) {
    throw invalid('it is in column-major order: save numpy.ascontiguousarray(array) instead');
  }
  return { dtype, shape };
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

const invalid = (why: string): Error => new Error(`not a .npy file that can be read: ${why}`);
