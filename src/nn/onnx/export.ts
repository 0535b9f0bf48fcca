import { refuseForeign } from '../../tensor/graph/copies.ts';
import type { Device } from '../../tensor/device.ts';
import type { Shape } from '../../tensor/graph/shape.ts';
import type { Tensor } from '../../tensor/graph/tensor.ts';
import type { Value } from '../../tensor/graph/value.ts';
import type { Module } from '../module.ts';
import { BATCH, BATCHES, fixedBatch, mergeBatches, type BatchedGraph, type Dim } from './batch.ts';
import type { Named } from './graph.ts';
import { encodeModel, type ModelParts } from './model.ts';
import { loadPieces, sizeOf } from './protobuf.ts';
import { traceGraph, type TracedGraph } from './trace.ts';
import { weightsOf } from './weights.ts';

export interface OnnxInput {
  readonly name: string;
  /** Shape without the batch dimension, which comes first. */
  readonly shape: Shape;
  /** Description of the elements, for users of the model. */
  readonly description: string;
}

export interface OnnxOptions {
  readonly name: string;
  readonly description: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly OnnxInput[];
  /** Computes the named results from f32 tensors [batch, ...] in the inputs' order. */
  readonly forward: (...inputs: Tensor[]) => Readonly<Record<string, Tensor>>;
}

/** An exported model. */
export interface OnnxModel {
  readonly bytes: number;
  /** The reason if the batch is fixed to 1; null if it may have any size. */
  readonly fixedBatch: string | null;
  /** The file's bytes in pieces, with at most one weight in memory. The module must not be disposed before the last piece. */
  pieces(): AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * Exports `forward` with the parameters of `module` (on the device, in evaluation mode) as an ONNX model of opset 17, by
 * translating its recording op by op. Throws an Error that names an op without a mapping, and a RangeError above 2 GiB, the
 * limit of an ONNX file.
 */
export async function exportOnnx(device: Device, module: Module, options: OnnxOptions): Promise<OnnxModel> {
  refuseForeign('exportOnnx', device);
  refuseForeign('exportOnnx', module);
  await device.flush();
  const names = new Map<Value, Named>(
    [...module.namedTensors()].map(([name, { tensor }]) => [tensor.value, { name, shape: tensor.shape }]),
  );
  const trace = (batch: number): TracedGraph =>
    traceGraph(
      device,
      new Map(options.inputs.map(({ name, shape }) => [name, [batch, ...shape]])),
      options.forward,
      names,
    );
  const [first, second] = [trace(BATCHES[0]), trace(BATCHES[1])];
  const merged = mergeBatches(first, second);
  const single = typeof merged === 'string' ? trace(1) : null;
  const used = single ?? first;
  for (const other of [first, second]) if (other !== used) releaseCaptured(device, other);
  const graph: BatchedGraph = typeof merged === 'string' ? fixedBatch(used) : merged;
  const batch: Dim = typeof merged === 'string' ? 1 : BATCH;
  const weights = await weightsOf(device, used, names);
  const parts: ModelParts = {
    ...options,
    inputs: options.inputs.map(({ shape, ...input }) => ({
      ...input,
      dtype: 'f32',
      dims: [batch, ...shape],
    })),
    weights,
    graph,
  };
  const pieces = encodeModel(parts);
  return {
    bytes: sizeOf(pieces),
    fixedBatch: typeof merged === 'string' ? merged : null,
    pieces: () => loadPieces(pieces),
  };
}

/** Releases the captured tensors of a trace. */
function releaseCaptured(device: Device, { captured }: TracedGraph): void {
  for (const { value } of captured.values()) device.release(value.storage);
}
