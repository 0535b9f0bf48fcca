/*
 * The safetensors format (huggingface/safetensors): a u64 little-endian header length, a JSON header
 * { name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { key: text } }, then the elements of all tensors,
 * row-major and little-endian, without gaps. Like every WebGPU implementation, this code is for little-endian machines.
 */
import { formatShape } from '../../../tensor/graph/shape.ts';
import { ELEMENT_BYTES, isFileDType, type FileDType } from '../elements.ts';
import { printable, quote, quoteValue } from '../quote.ts';

/** Upper bound on the header, enough for some 60,000 tensors. The reference allows 100 MB, which takes seconds and gigabytes to parse. */
const MAX_HEADER_BYTES = 8 * 2 ** 20;
const METADATA = '__metadata__';

/** A tensor in the header. */
export interface SafetensorsEntry {
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** The elements are the bytes [begin, end) of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their elements. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
}

/** A tensor to write. */
interface HeaderTensor {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/**
 * Position where the JSON ends in a file of `size` bytes that begins with `head`. Throws an Error of one sentence if the file
 * is not safetensors or is truncated.
 */
export function headerEnd(head: Uint8Array, size: number): number {
  if (head.length < 8) throw invalid(`it has ${size} bytes, too few for a header`);
  const declared = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(MAX_HEADER_BYTES)) {
    throw invalid(`its header would have ${declared} bytes, the limit is ${MAX_HEADER_BYTES}`);
  }
  const end = 8 + Number(declared);
  if (end > size) throw invalid(`its header would end at byte ${end}, the file at ${size}`);
  return end;
}

/**
 * Parses the header's JSON, bytes [8, start) of a file of `size` bytes. Throws an Error of one sentence if it
 * contradicts itself or the file's size.
 */
export function parseHeader(json: Uint8Array, start: number, size: number): SafetensorsHeader {
  const header = parseObject(json);
  const entries: [string, SafetensorsEntry][] = [];
  let metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = readMetadata(value);
    else entries.push([name, readEntry(name, value, start, size)]);
  }
  // Sorted by position, because objects enumerate integer-like names first.
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, start, size);
  return { metadata, entries: new Map(entries) };
}

/**
 * The bytes of a file with these tensors in this order, up to the first element. Equal input gives equal bytes. Throws a
 * RangeError if a tensor's number of bytes differs from its shape's, or its name is `__metadata__`.
 */
export function encodeHeader(
  tensors: readonly HeaderTensor[],
  metadata: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  let at = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    if (name === METADATA) throw new RangeError(`a tensor cannot be named ${METADATA} in a safetensors file`);
    const width = ELEMENT_BYTES[dtype];
    const count = shape.reduce((product, n) => product * n, 1);
    if (count * width !== bytes) {
      throw new RangeError(
        `tensor ${name} of shape ${formatShape(shape)} has ${bytes / width} elements instead of ${count}`,
      );
    }
    const begin = at;
    at += bytes;
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
  });
  const head = metadata.size > 0 ? [[METADATA, Object.fromEntries(metadata)] as const] : [];
  // Object.fromEntries would move integer-like names to the front.
  const text = `{${[...head, ...entries].map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`;
  const json = new TextEncoder().encode(text);
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(start).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(start - 8), true);
  header.set(json, 8);
  return header;
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
    const why = error instanceof Error ? error.message : String(error);
    // V8's message quotes the text, which may contain anything.
    throw invalid(`its header is not JSON in UTF-8 (${printable(why)})`);
  }
  if (!isObject(value)) throw invalid('its header is not a JSON object');
  return value;
}

function readMetadata(value: unknown): Map<string, string> {
  if (!isObject(value)) throw invalid(`${METADATA} is not an object`);
  return new Map(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string') throw invalid(`${METADATA} ${quote(key)} is not a text`);
      return [key, text];
    }),
  );
}

function readEntry(name: string, value: unknown, start: number, size: number): SafetensorsEntry {
  const what = `tensor ${quote(name)}`;
  if (!isObject(value)) throw invalid(`${what} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !isFileDType(dtype)) {
    throw invalid(
      `${what} has dtype ${quoteValue(dtype)}, known are ${Object.keys(ELEMENT_BYTES).join(', ')}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) throw invalid(`${what} has shape ${quoteValue(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw invalid(`${what} has data_offsets ${quoteValue(offsets)}`);
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
      `${what} of ${dtype} ${quoteValue(shape)} needs ${bytes} bytes, its data_offsets hold ${to - from}`,
    );
  }
  return { dtype, shape, begin: start + from, end: start + to };
}

/** Throws if tensors overlap or leave gaps, which the format forbids so that no bytes are hidden in a file. */
function checkLayout(sorted: readonly [string, SafetensorsEntry][], start: number, size: number): void {
  let at = start;
  for (const [name, { begin, end }] of sorted) {
    if (begin !== at) {
      const how = begin < at ? 'overlaps another tensor' : `follows a gap of ${begin - at} bytes`;
      throw invalid(`tensor ${quote(name)} ${how}`);
    }
    at = end;
  }
  if (at !== size) throw invalid(`${size - at} bytes at its end belong to no tensor`);
}
