/** The entry in Deno: everything of the browser's, with a `Device` that takes Deno's own WebGPU or Dawn from npm. */
import './pixels.ts';
import { openPathsInCheckpoints } from './node/path-source.ts';

openPathsInCheckpoints();

export * from './index.ts';
export { DenoDevice as Device } from './node/deno-device.ts';
