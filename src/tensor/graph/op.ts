import type { Op, OutputSpec } from './node.ts';
import type { Recorder, Tensor } from './tensor.ts';

export type { Op, OutputSpec } from './node.ts';

/**
 * Appends one use of an op to the recording of its inputs' device; gives its outputs, with no gradient history.
 * Throws an Error if the inputs lie on different devices.
 */
export function record<Attrs>(
  op: Op<Attrs>,
  inputs: readonly Tensor[],
  outputs: readonly OutputSpec[],
  attrs: Attrs,
): Tensor[] {
  const recorder = inputs[0]?.recorder;
  if (recorder === undefined)
    throw new Error(`op ${op.name} has no input to tell the device from: use createOn`);
  if (inputs.some((input) => input.recorder !== recorder)) {
    throw new Error(
      `${op.name}: the tensors lie on different devices: make them by one device, and move modules there by to(device)`,
    );
  }
  return recorder.record(op, inputs, outputs, attrs);
}

/** The same for the usual op with one output. */
export function recordOne<Attrs>(
  op: Op<Attrs>,
  inputs: readonly Tensor[],
  output: OutputSpec,
  attrs: Attrs,
): Tensor {
  return only(record(op, inputs, [output], attrs));
}

/** For ops that make a tensor out of nothing: constants, random numbers. */
export function createOn<Attrs>(recorder: Recorder, op: Op<Attrs>, output: OutputSpec, attrs: Attrs): Tensor {
  return only(recorder.record(op, [], [output], attrs));
}

function only(tensors: readonly Tensor[]): Tensor {
  const [tensor] = tensors;
  if (tensor === undefined) throw new Error('an op was recorded without its output');
  return tensor;
}
