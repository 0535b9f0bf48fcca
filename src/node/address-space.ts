// Address space under `ulimit -v`. Where it ends, V8, Dawn and FFmpeg abort the process with a trace, so it is checked before.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { formatBytes } from '../gpu/storage.ts';

const MIB = 2 ** 20;

/**
 * What the parts map, in MiB: measured with Node 24 on x64 Linux as the least with which they work, and rounded up. Each core adds a
 * thread of SwiftShader or FFmpeg with its stack and heap.
 */
const PARTS = {
  dawn: { title: 'WebGPU (Dawn and a software adapter)', base: 850, perCore: 32 },
  decoder: { title: 'the media decoder', base: 380, perCore: 16 },
} as const;

export interface AddressSpace {
  readonly limitBytes: number;
  readonly freeBytes: number;
}

/** The limit of `ulimit -v` and what it leaves to this process; null without a limit, or where /proc does not tell. */
export function addressSpace(): AddressSpace | null {
  try {
    const limit = /^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    const used = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (limit === undefined || used === undefined) return null;
    return { limitBytes: Number(limit), freeBytes: Number(limit) - Number(used) * 1024 };
  } catch {
    return null;
  }
}

/** Throws an Error of one sentence with the numbers if a part does not fit into the address space that is left. */
export function checkAddressSpace(part: keyof typeof PARTS): void {
  const space = addressSpace();
  const { title, base, perCore } = PARTS[part];
  const wanted = (base + perCore * availableParallelism()) * MIB;
  if (space === null || space.freeBytes >= wanted) return;
  throw new Error(
    `${title} takes about ${formatBytes(wanted)} of address space, and ulimit -v leaves ${formatBytes(space.freeBytes)} of ` +
      `${formatBytes(space.limitBytes)}: lift the limit (ulimit -v unlimited)`,
  );
}
