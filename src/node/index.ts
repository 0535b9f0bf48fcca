/**
 * What needs Node (or Bun, or Deno), as `wavelight/node`: adapters of the machine, and files.
 *
 * @module wavelight/node
 */
export { NodeDevice } from './device.ts';
export { openNodeGpu, type AdapterChoice, type NodeGpu, type NodeGpuOptions } from './adapter.ts';
export { openFileSource, type FileSource } from './file-source.ts';
