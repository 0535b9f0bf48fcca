// The seconds of a recording as a file of tensors, and back.

import { nn } from 'wavelight';
import type { Modality, TaughtSecond } from 'wavelight/avsc';

type Inputs = TaughtSecond['inputs'];
type Values = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

const PARTS: readonly Modality[] = ['audio', 'video'];
const INPUTS = ['logmel', 'waveform', 'openl3', 'frames'] as const satisfies readonly (keyof Inputs)[];

/** Tensors [seconds, ...] of each embedding and each input that all seconds have. */
export function encodeSeconds(seconds: readonly TaughtSecond[]): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, nn.HostTensor>();
  const lengths = new Map<string, string>();
  const put = (name: string, rows: readonly (Values | undefined)[]): void => {
    const [first] = rows;
    if (first === undefined || rows.some((row) => row?.length !== first.length)) return;
    const isBytes = first instanceof Uint8Array;
    // A state dict has no bytes, so four are a word, and a row ends with a whole one.
    const length = isBytes ? 4 * Math.ceil(first.length / 4) : first.length;
    const all = isBytes ? new Uint8Array(rows.length * length) : new Float32Array(rows.length * length);
    rows.forEach((row, i) => row && all.set(row, i * length));
    if (isBytes) lengths.set(name, String(first.length));
    const data = all instanceof Uint8Array ? new Uint32Array(all.buffer) : all;
    tensors.set(name, { shape: [rows.length, data.length / rows.length], data });
  };
  for (const part of PARTS)
    put(
      `embedding ${part}`,
      seconds.map(({ embeddings }) => embeddings[part]),
    );
  for (const input of INPUTS)
    put(
      `input ${input}`,
      seconds.map(({ inputs }) => inputs[input]),
    );
  return nn.writeSafetensors(tensors, lengths);
}

/** Throws an Error of one sentence for a damaged file. */
export function decodeSeconds(file: Uint8Array<ArrayBuffer>): readonly TaughtSecond[] {
  const { entries, metadata } = nn.readSafetensorsHeader(file);
  const rowsOf = (name: string): Values[] => {
    const entry = entries.get(name);
    if (entry === undefined) return [];
    const [count = 1] = entry.shape;
    const bytes = file.slice(entry.begin, entry.end);
    const all = entry.dtype === 'U32' ? bytes : new Float32Array(bytes.buffer);
    const step = all.length / count;
    const length = entry.dtype === 'U32' ? Number(metadata.get(name)) : step;
    if (!(length > step - 4 && length <= step)) throw new Error(`${name} has rows of ${length} in ${step}`);
    return Array.from({ length: count }, (_, i) => all.slice(i * step, i * step + length));
  };
  const embeddings = PARTS.map((part) => [part, rowsOf(`embedding ${part}`)] as const);
  const inputs = INPUTS.map((input) => [input, rowsOf(`input ${input}`)] as const);
  const count = Math.max(0, ...embeddings.map(([, rows]) => rows.length));
  return Array.from({ length: count }, (_, i) => ({
    embeddings: rowAt(embeddings, i),
    inputs: rowAt(inputs, i),
  }));
}

const rowAt = (all: readonly (readonly [string, readonly Values[]])[], i: number): Record<string, Values> =>
  Object.fromEntries(
    all.flatMap(([name, rows]) => {
      const row = rows[i];
      return row === undefined ? [] : [[name, row]];
    }),
  );
