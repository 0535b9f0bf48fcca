import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { Heap } from '../../src/gpu/heap.ts';
import type { Storage } from '../../src/gpu/storage.ts';
import { testGpu } from '../support/device.ts';

const MIB = 1024 * 1024;

/** A small generator of our own, so that a failure can be seen again. */
function lehmer(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

const overlap = (a: Storage, b: Storage): boolean =>
  a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

describe('heap', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await testGpu({ poison: false });
  });
  afterAll(() => gpu.destroy());

  it('never hands out overlapping, misaligned or too small storage, and joins what is freed', () => {
    const heap = new Heap(gpu, 'fuzz', MIB);
    const random = lehmer(7);
    const live: Storage[] = [];
    let peak = 0;
    for (let i = 0; i < 3000; i++) {
      const index = Math.floor(random() * live.length);
      const [victim] = random() < 0.48 ? live.splice(index, 1) : [];
      if (victim !== undefined) {
        heap.free(victim);
        continue;
      }
      const bytes = Math.ceil(random() ** 4 * 2 * MIB);
      const storage = heap.allocate(bytes, 'fuzz');
      expect(storage.bytes).toBeGreaterThanOrEqual(bytes);
      expect(storage.offset % 256).toBe(0);
      expect(storage.offset + storage.bytes).toBeLessThanOrEqual(storage.buffer.size);
      expect(live.some((other) => overlap(storage, other))).toBe(false);
      live.push(storage);
      expect(heap.bytesUsed).toBe(live.reduce((sum, one) => sum + one.bytes, 0));
      peak = Math.max(peak, heap.bytesHeld);
    }
    for (const storage of live) heap.free(storage);
    expect(heap.bytesUsed).toBe(0);
    const buffers = gpu.counters.buffersCreated;
    const whole = heap.allocate(heap.bytesHeld, 'all that is left');
    expect(gpu.counters.buffersCreated).toBe(buffers);
    expect(whole.bytes).toBe(heap.bytesHeld);
    expect(peak).toBeGreaterThan(2 * heap.bytesHeld);
    heap.destroy();
    expect(gpu.counters.bytesHeld).toBe(0);
  });

  it('gives a request larger than a chunk a buffer of its own', () => {
    const heap = new Heap(gpu, 'large', MIB);
    heap.allocate(100, 'small');
    const large = heap.allocate(5 * MIB, 'large');
    expect(large.buffer.size).toBe(5 * MIB);
    heap.free(large);
    expect(heap.bytesHeld).toBe(MIB);
    heap.destroy();
  });

  it('names tensor, size and limit of what no buffer can hold', () => {
    const heap = new Heap(gpu, 'values');
    const bytes = gpu.maxStorageBytes + 256;
    expect(() => heap.allocate(bytes, 'the output of conv2d')).toThrow(
      /^the output of conv2d needs [\d.]+ [MG]iB in one buffer; this device binds at most [\d.]+ [MG]iB \(.+\): use a smaller batch$/,
    );
    expect(() => heap.allocate(NaN, 'x')).toThrow(RangeError);
    expect(gpu.counters.bytesHeld).toBe(0);
  });

  it('refuses to free twice', () => {
    const heap = new Heap(gpu, 'values');
    const storage = heap.allocate(4, 'x');
    heap.free(storage);
    expect(() => heap.free(storage)).toThrow('heap values: storage freed twice');
    heap.destroy();
  });

  it('fills new storage with NaN where poisoned', async () => {
    const poisoned = await testGpu({ poison: true });
    const heap = new Heap(poisoned, 'values');
    const storage = heap.allocate(5 * MIB, 'x');
    const values = new Float32Array(await poisoned.read(storage, 5 * MIB));
    expect(values.every(Number.isNaN)).toBe(true);
    poisoned.destroy();
  });
});
