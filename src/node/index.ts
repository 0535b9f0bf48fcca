/** What needs Node (or Bun, or Deno), as `wavelight/node`: adapters of the machine, and files. */
export { NodeDevice } from './device.ts';
export { openNodeGpu, type AdapterChoice, type NodeGpu } from './adapter.ts';
export { openFileSource, type FileSource } from './file-source.ts';
