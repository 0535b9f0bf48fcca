import type { BufferRef, Dispatch } from '../../gpu/dispatch.ts';

/**
 * WebGPU forbids to bind one GPUBuffer for reading and for writing in one dispatch, even at disjoint ranges, and
 * Dawn orders dispatches by whole buffers. So buffers that meet in a dispatch in these two roles get different
 * colours, and each colour its own GPUBuffer.
 */
export function colourBuffers(dispatches: readonly Dispatch[], isPlaced: (buffer: BufferRef) => boolean) {
  const rivals = new Map<BufferRef, Set<BufferRef>>();
  const rivalsOf = (buffer: BufferRef): Set<BufferRef> => {
    let set = rivals.get(buffer);
    if (set === undefined) rivals.set(buffer, (set = new Set()));
    return set;
  };
  for (const { operands } of dispatches) {
    const free = operands.filter(({ buffer }) => !isPlaced(buffer));
    for (const written of free) {
      rivalsOf(written.buffer);
      if (written.access === 'read') continue;
      for (const read of free) {
        if (read.access !== 'read') continue;
        rivalsOf(written.buffer).add(read.buffer);
        rivalsOf(read.buffer).add(written.buffer);
      }
    }
  }
  const colours = new Map<BufferRef, number>();
  for (const [buffer, set] of rivals) {
    const taken = new Set([...set].map((rival) => colours.get(rival)));
    let colour = 0;
    while (taken.has(colour)) colour++;
    colours.set(buffer, colour);
  }
  return colours;
}
