import type { BufferRef, DType, Dispatch } from '../../src/gpu/dispatch.ts';
import { bytesOf } from '../../src/gpu/dispatch.ts';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { Heap } from '../../src/gpu/heap.ts';
import { Program } from '../../src/gpu/program.ts';
import type { Storage } from '../../src/gpu/storage.ts';
import type { KernelContext } from '../../src/kernels/context.ts';

export type Values = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export const buffer = (length: number, dtype: DType = 'f32'): BufferRef => ({ dtype, length });

/** A context for calling kernel functions in tests; runDispatches gives the temporaries their memory. */
export function testContext(gpu: Gpu): KernelContext {
  return { geometry: gpu.geometry, temporary: (length, dtype = 'f32') => buffer(length, dtype) };
}

/**
 * Runs the dispatches in order, every buffer in memory of its own. `bindings` holds what buffers contain before;
 * everything else is NaN, so what a kernel forgets to write shows. Values of f16 buffers are given and returned as f32. Gives the contents of every buffer that some
 * dispatch writes. `scalars` is what kernels with usesScalars read.
 */
export async function runDispatches(
  gpu: Gpu,
  dispatches: readonly Dispatch[],
  bindings: ReadonlyMap<BufferRef, Values>,
  scalars?: Float32Array<ArrayBuffer>,
): Promise<Map<BufferRef, Values>> {
  // One buffer per operand: a kernel may read one and write another, which must not share a GPUBuffer.
  const heaps: Heap[] = [];
  const allocate = (bytes: number, what: string): Storage => {
    const words = 4 * Math.ceil(bytes / 4);
    const heap = new Heap(gpu, what, words);
    heaps.push(heap);
    return heap.allocate(words, what);
  };
  const places = new Map<BufferRef, Storage>();
  for (const { label, operands } of dispatches) {
    for (const { buffer: ref } of operands) {
      if (places.has(ref)) continue;
      const storage = allocate(bytesOf(ref), `operand of ${label}`);
      gpu.fillNaN(storage);
      places.set(ref, storage);
    }
  }
  for (const [ref, values] of bindings) {
    const storage = places.get(ref);
    if (storage === undefined) throw new Error('a binding was given for a buffer that no dispatch uses');
    if (values.length !== ref.length)
      throw new Error(`${values.length} values for a buffer of ${ref.length}`);
    gpu.upload(storage, stored(ref, values));
  }
  const scalarStorage = scalars === undefined ? null : allocate(scalars.byteLength, 'scalars');
  if (scalars !== undefined && scalarStorage !== null) gpu.upload(scalarStorage, scalars);
  const program = await Program.compile(gpu, dispatches);
  const results = new Map<BufferRef, Values>();
  try {
    const bound = program.bind((ref) => {
      const storage = places.get(ref);
      if (storage === undefined) throw new Error('a buffer has no place');
      return storage;
    }, scalarStorage);
    bound.run();
    for (const ref of writtenBy(dispatches)) {
      const storage = places.get(ref);
      if (storage !== undefined)
        results.set(ref, typed(ref, await gpu.read(storage, 4 * Math.ceil(bytesOf(ref) / 4))));
    }
  } finally {
    program.destroy();
    for (const heap of heaps) heap.destroy();
  }
  return results;
}

function writtenBy(dispatches: readonly Dispatch[]): Set<BufferRef> {
  const operands = dispatches.flatMap((dispatch) => dispatch.operands);
  return new Set(operands.filter(({ access }) => access !== 'read').map((operand) => operand.buffer));
}

/** Values as the buffer holds them. */
function stored({ dtype, length }: BufferRef, values: Values): ArrayBufferView<ArrayBuffer> {
  if (dtype !== 'f16') return values;
  const halves = new Float16Array(2 * Math.ceil(length / 2));
  halves.set(values);
  return halves;
}

function typed(ref: BufferRef, bytes: ArrayBuffer): Values {
  switch (ref.dtype) {
    case 'f32':
      return new Float32Array(bytes);
    case 'i32':
      return new Int32Array(bytes);
    case 'u32':
      return new Uint32Array(bytes);
    case 'f16':
      return Float32Array.from(new Float16Array(bytes, 0, ref.length));
    case 'u8':
      throw new TypeError(`no kernel writes ${ref.dtype}`);
  }
}
