/*
 * The safetensors format (huggingface/safetensors): a u64 little-endian header length, a JSON header
 * { name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { key: text } }, then the elements, in row-major
 * order and little-endian, of all tensors one after another without gaps. Like every WebGPU implementation, this
 * code is for little-endian machines.
 */
import { dtypeOfArray } from '../../tensor/dtype.ts';
import { formatShape } from '../../tensor/shape.ts';
import type { TypedArray } from '../../tensor/tensor.ts';
import type { HostTensor, StateDict } from '../state.ts';
import { decodeElements, ELEMENT_BYTES, isFileDType, type FileDType } from './elements.ts';

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';

/** One tensor of a file that has not been decoded. */
export interface SafetensorsEntry {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** Bytes of the file that hold the elements: [begin, end). */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

export interface Safetensors {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: StateDict;
}

/**
 * Reads the header alone. Throws an Error of one sentence if the file is not safetensors, is cut short, or
 * its header contradicts itself or the file's size; nothing is allocated by what the header claims.
 */
export function readSafetensorsHeader(file: Uint8Array): SafetensorsHeader {
  if (file.length < 8) throw invalid(`it has ${file.length} bytes, too few for a header`);
  const declared = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER_BYTES)) {
    throw invalid(`its header would have ${declared} bytes, the limit is ${MAX_HEADER_BYTES}`);
  }
  const start = 8 + Number(declared);
  if (start > file.length) throw invalid(`its header would end at byte ${start}, the file at ${file.length}`);
  const header = parseObject(file.subarray(8, start));
  const entries = new Map<string, SafetensorsEntry>();
  let metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = readMetadata(value);
    else entries.set(name, readEntry(name, value, start, file.length));
  }
  checkLayout(entries, start, file.length);
  return { metadata, entries };
}

/**
 * Reads a whole file. F16, BF16 and F64 become f32; integers and BOOL become i32, U32 stays u32.
 * Throws as `readSafetensorsHeader` does, and a RangeError where an I64 does not fit into i32.
 */
export function readSafetensors(file: Uint8Array): Safetensors {
  const { metadata, entries } = readSafetensorsHeader(file);
  const tensors = new Map<string, HostTensor>();
  for (const [name, { dtype, shape, begin, end }] of entries) {
    // A copy, since elements need not be aligned in the file. Not slice(): that of Node's Buffer is a view.
    const data = decodeElements(dtype, new Uint8Array(file.subarray(begin, end)).buffer, name);
    tensors.set(name, { shape, data });
  }
  return { metadata, tensors };
}

/**
 * The bytes of a file with these tensors, in their order; equal input gives equal bytes. Throws a RangeError if a
 * tensor has not as many elements as its shape says, or is named `__metadata__`.
 */
export function writeSafetensors(
  tensors: StateDict,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> {
  let at = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    checkWritable(name, shape, data);
    const begin = at;
    at += data.byteLength;
    return [name, { dtype: dtypeOfArray(data).toUpperCase(), shape, data_offsets: [begin, at] }] as const;
  });
  const head = metadata.size > 0 ? [[METADATA, Object.fromEntries(metadata)] as const] : [];
  // Object.fromEntries would put names that look like integers first.
  const json = `{${[...head, ...entries].map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`;
  const header = new TextEncoder().encode(json);
  const start = 8 + Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(start + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(start - 8), true);
  file.set(header, 8);
  file.fill(0x20, 8 + header.length, start);
  let to = start;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), to);
    to += data.byteLength;
  }
  return file;
}

const invalid = (why: string): Error => new Error(`not a safetensors file: ${why}`);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalid(
      `its header is not JSON in UTF-8 (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  if (!isObject(value)) throw invalid('its header is not a JSON object');
  return value;
}

function readMetadata(value: unknown): Map<string, string> {
  if (!isObject(value)) throw invalid(`${METADATA} is not an object`);
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string') throw invalid(`${METADATA} ${JSON.stringify(key)} is not a text`);
      return [key, text];
    }),
  );
}

function readEntry(name: string, value: unknown, start: number, size: number): SafetensorsEntry {
  const what = `tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) throw invalid(`${what} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !isFileDType(dtype)) {
    throw invalid(
      `${what} has dtype ${JSON.stringify(dtype)}, known are ${Object.keys(ELEMENT_BYTES).join(', ')}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isSize))
    throw invalid(`${what} has shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalid(`${what} has data_offsets ${JSON.stringify(offsets)}`);
  }
  const [from, to] = offsets as [number, number];
  if (from > to || to > size - start) {
    throw invalid(
      `${what} lies at bytes ${from} to ${to} of ${size - start}: the file is cut short or its header wrong`,
    );
  }
  const bytes = shape.reduce((product: number, n) => product * n, ELEMENT_BYTES[dtype]);
  if (bytes !== to - from) {
    throw invalid(
      `${what} of ${dtype} ${formatShape(shape)} needs ${bytes} bytes, its data_offsets hold ${to - from}`,
    );
  }
  return { dtype, shape, begin: start + from, end: start + to };
}

/** The format allows neither overlaps nor gaps, so that no bytes hide in a file. */
function checkLayout(entries: ReadonlyMap<string, SafetensorsEntry>, start: number, size: number): void {
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = start;
  for (const [name, { begin, end }] of sorted) {
    if (begin !== at) {
      const how = begin < at ? 'overlaps another tensor' : `follows a gap of ${begin - at} bytes`;
      throw invalid(`tensor ${JSON.stringify(name)} ${how}`);
    }
    at = end;
  }
  if (at !== size) throw invalid(`${size - at} bytes at its end belong to no tensor`);
}

function checkWritable(name: string, shape: readonly number[], data: TypedArray): void {
  if (name === METADATA) throw new RangeError(`a tensor cannot be named ${METADATA} in a safetensors file`);
  const count = shape.reduce((product, n) => product * n, 1);
  if (count !== data.length) {
    throw new RangeError(
      `tensor ${name} of shape ${formatShape(shape)} has ${data.length} elements instead of ${count}`,
    );
  }
}
