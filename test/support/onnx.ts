/** Runs ONNX models by ONNX Runtime (its WebAssembly, one thread), as a reference for what is exported. */
import * as ort from 'onnxruntime-web';
import type { TypedArray } from '../../src/index.ts';
import { elementCount, type Shape } from '../../src/tensor/graph/shape.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

interface HostArray {
  readonly data: TypedArray;
  readonly shape: Shape;
}

interface OnnxSession {
  readonly inputNames: readonly string[];
  run(inputs: ReadonlyMap<string, HostArray>): Promise<Map<string, HostArray>>;
}

export async function openOnnx(file: Uint8Array): Promise<OnnxSession> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
  return {
    inputNames: session.inputNames,
    run: async (inputs) => {
      const feeds = [...inputs].map(([name, { data, shape }]) => [name, toOrt(data, shape)] as const);
      const results = await session.run(Object.fromEntries(feeds));
      return new Map(
        Object.entries(results).map(([name, { data, dims }]) => {
          if (!(data instanceof Float32Array || data instanceof Int32Array))
            throw new Error(`${name} is neither f32 nor i32`);
          if (data.length !== elementCount(dims)) throw new Error(`${name} has ${data.length} elements`);
          return [name, { data, shape: dims }];
        }),
      );
    },
  };
}

function toOrt(data: TypedArray, shape: Shape): ort.Tensor {
  if (!(data instanceof Float32Array)) throw new Error('models take f32');
  return new ort.Tensor('float32', data, shape);
}

/** The whole file. */
export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return new Uint8Array(Buffer.concat(parts));
}
