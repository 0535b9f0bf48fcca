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
  /** Without the batch, which comes first. */
  readonly shape: Shape;
  /** What the elements are, for whoever runs the model. */
  readonly description: string;
}

export interface OnnxOptions {
  readonly name: string;
  readonly description: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly inputs: readonly OnnxInput[];
  /** Gives results by their names, from f32 tensors [batch, ...] in the inputs' order. */
  readonly forward: (...inputs: Tensor[]) => Readonly<Record<string, Tensor>>;
}

/** A model that can be written. */
export interface OnnxModel {
  readonly bytes: number;
  /** Why the batch is fixed to 1; null where it may have any size. */
  readonly fixedBatch: string | null;
  /** The file, in pieces of which at most one weight is in memory. The module must be alive until the last. */
  pieces(): AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * What `forward` computes with the parameters of `module` (on the device, in evaluation mode) as an ONNX model, opset 17: its
 * recording, op by op. Throws an Error that names an op without a mapping, and a RangeError above 2 GiB, which no ONNX
 * file can hold.
 */
export async function exportOnnx(device: Device, module: Module, options: OnnxOptions): Promise<OnnxModel> {
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

/** Drops the handles that a trace holds. */
function releaseCaptured(device: Device, { captured }: TracedGraph): void {
  for (const { value } of captured.values()) device.release(value.storage);
}
