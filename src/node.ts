/** The entry in Node and Bun: everything of the browser's, with a `Device` that finds an adapter by itself, and files. */
import './pixels.ts';
import { openPathsInCheckpoints } from './node/path-source.ts';

openPathsInCheckpoints();

export * from './index.ts';
export { NodeDevice as Device } from './node/device.ts';
// Documented as `wavelight/node`; these names were here before.
export { openNodeGpu, type AdapterChoice, type NodeGpu } from './node/adapter.ts';
export { openFileSource, type FileSource } from './node/file-source.ts';
