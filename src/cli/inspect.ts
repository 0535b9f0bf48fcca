import { Command } from 'commander';
import { withCheckpoint } from '../avsc/node/weights/checkpoint-file.ts';
import { ELEMENT_BYTES } from '../nn/checkpoint/elements.ts';
import type { CheckpointFile } from '../nn/checkpoint/checkpoint.ts';
import { elementCount } from '../tensor/graph/shape.ts';
import { print } from './output.ts';
import { formatTable, printable } from './table.ts';

/** `inspect FILE`: the contents of a checkpoint, without reading elements. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('contents of a checkpoint: safetensors, PyTorch (old and new), Keras HDF5')
    .argument('<file>', 'checkpoint, identified by its content')
    .option('--json', 'print all of it as JSON')
    .action((path: string, { json }: { json?: true }) =>
      withCheckpoint(path, (file, bytes) =>
        print(json ? JSON.stringify({ file: path, bytes, ...summary(file) }) : table(path, bytes, file)),
      ),
    );
}

function summary({ format, tensors, metadata }: CheckpointFile) {
  const list = [...tensors].map(([name, { dtype, shape }]) => {
    const elements = elementCount(shape);
    return { name, dtype, shape, elements, bytes: elements * ELEMENT_BYTES[dtype] };
  });
  return {
    format,
    elements: list.reduce((sum, { elements }) => sum + elements, 0),
    tensorBytes: list.reduce((sum, { bytes }) => sum + bytes, 0),
    tensors: list,
    metadata: Object.fromEntries(metadata),
  };
}

function table(path: string, bytes: number, file: CheckpointFile): string {
  const { format, elements, tensorBytes, tensors, metadata } = summary(file);
  const rows = tensors.map((tensor) => [
    printable(tensor.name),
    tensor.dtype,
    `[${tensor.shape.join(', ')}]`,
    String(tensor.elements),
    String(tensor.bytes),
  ]);
  const total = ['total', '', '', String(elements), String(tensorBytes)];
  const facts = Object.entries(metadata).map(([key, value]) => `${printable(key)}: ${printable(value)}`);
  return [
    `${path}: ${format}, ${bytes} bytes, ${tensors.length} tensors`,
    ...facts,
    '',
    formatTable([['name', 'dtype', 'shape', 'elements', 'bytes'], ...rows, total], [3, 4]),
  ].join('\n');
}
