import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gpu, describeAdapter } from '../../src/gpu/gpu.ts';
import { Heap } from '../../src/gpu/heap.ts';
import { openNodeGpu } from '../../src/node/adapter.ts';
import { testAdapter, ownGpu, testProfile } from '../support/device.ts';

describe('gpu', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await ownGpu();
  });
  afterAll(() => gpu.destroy());

  it('says what it runs on', () => {
    console.log(`adapter: ${gpu.description.name}, ${[...gpu.device.features].join(' ')}`);
    expect(gpu.description.name).not.toBe('');
    expect(gpu.geometry.workgroupTiles).toBe(testAdapter === 'gpu');
    expect(gpu.geometry.maxBindingBytes).toBe(gpu.limits.maxStorageBufferBindingSize);
    expect(gpu.limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
  });

  it('keeps many reads in flight apart and reuses their staging buffers', async () => {
    const heap = new Heap(gpu, 'reads');
    const sizes = [4, 256, 260, 4096, 1000, 12, 70_000, 4];
    const round = async (base: number): Promise<void> => {
      const storages = sizes.map((bytes, i) => {
        const storage = heap.allocate(bytes, 'x');
        gpu.upload(storage, new Uint32Array(bytes / 4).fill(base + i));
        return storage;
      });
      const results = await Promise.all(storages.map((storage, i) => gpu.read(storage, sizes[i] ?? 0)));
      results.forEach((bytes, i) => {
        expect(bytes.byteLength).toBe(sizes[i]);
        expect(new Uint32Array(bytes).every((value) => value === base + i)).toBe(true);
      });
      for (const storage of storages) heap.free(storage);
    };
    await round(100);
    const before = gpu.counters.snapshot();
    for (let i = 2; i < 6; i++) await round(100 * i);
    const after = gpu.counters.since(before);
    expect(after).toMatchObject({ buffersCreated: 0, bytesHeld: 0, submits: 4 * sizes.length });
    heap.destroy();
  });

  it('reads what was in the storage when it was asked for', async () => {
    const heap = new Heap(gpu, 'order');
    const storage = heap.allocate(4, 'x');
    const reads = [1, 2, 3].map((value) => {
      gpu.upload(storage, new Int32Array([value]));
      return gpu.read(storage, 4);
    });
    const values = (await Promise.all(reads)).map((bytes) => new Int32Array(bytes)[0]);
    expect(values).toEqual([1, 2, 3]);
    heap.destroy();
  });

  it('refuses sizes that do not fit', async () => {
    const heap = new Heap(gpu, 'sizes');
    const storage = heap.allocate(4, 'x');
    await expect(gpu.read(storage, 260)).rejects.toThrow('cannot read 260 bytes of storage of 256');
    expect(() => gpu.upload(storage, new Float32Array(100))).toThrow('a multiple of 4 up to 256');
    expect(() => gpu.upload(storage, new Uint8Array(3))).toThrow('cannot upload 3 bytes');
    heap.destroy();
  });

  it.skipIf(testProfile === 'fast')(
    "tells of an error of ours at the next read, once, and not of others' (the fast profile validates nothing)",
    async () => {
      const heap = new Heap(gpu, 'errors');
      const storage = heap.allocate(4, 'x');
      gpu.createBuffer('MAP_READ and STORAGE', 4, 0x1 | 0x80);
      await expect(gpu.read(storage, 4)).rejects.toThrow(/usage/i);
      const others: string[] = [];
      const note = (event: GPUUncapturedErrorEvent): void => void others.push(event.error.message);
      gpu.device.addEventListener('uncapturederror', note);
      gpu.device.createBuffer({ size: 4, usage: 0x1 | 0x80 });
      await expect(gpu.read(storage, 4)).resolves.toHaveProperty('byteLength', 4);
      expect(others.join()).toMatch(/usage/i);
      gpu.device.removeEventListener('uncapturederror', note);
      heap.destroy();
    },
  );
});

describe('the life of a device', () => {
  const open = async (): Promise<GPUAdapter> =>
    (await openNodeGpu({ adapter: testAdapter, profile: testProfile })).adapter;

  it("leaves a caller's device alive and releases what it made on it", async () => {
    const device = await (await open()).requestDevice();
    const gpu = Gpu.fromDevice(device);
    expect(gpu.description.kind).toBe(describeAdapter(device.adapterInfo).kind);
    const heap = new Heap(gpu, 'guest');
    const { buffer } = heap.allocate(4, 'x');
    gpu.destroy();
    expect(gpu.counters.bytesHeld).toBe(0);
    await expect(gpu.read({ buffer, offset: 0, bytes: 256 }, 4)).rejects.toThrow('this Gpu was destroyed');
    const own = device.createBuffer({ size: 4, usage: 0x1 | 0x8 });
    device.queue.writeBuffer(own, 0, new Uint32Array([7]));
    await own.mapAsync(0x1);
    expect(new Uint32Array(own.getMappedRange())[0]).toBe(7);
    own.unmap();
    device.destroy();
  });

  it('says that the device was lost', async () => {
    const device = await (await open()).requestDevice();
    const gpu = Gpu.fromDevice(device);
    const storage = new Heap(gpu, 'lost').allocate(4, 'x');
    const reading = gpu.read(storage, 4);
    device.destroy();
    await expect(reading).rejects.toThrow('the device was lost (destroyed)');
    await expect(gpu.read(storage, 4)).rejects.toThrow('the device was lost (destroyed)');
    await expect(gpu.idle()).rejects.toThrow('the device was lost (destroyed)');
  });

  it('can be destroyed while a read is under way, and twice', async () => {
    const gpu = await ownGpu();
    const storage = new Heap(gpu, 'gone').allocate(4, 'x');
    const reading = gpu.read(storage, 4);
    gpu.destroy();
    gpu.destroy();
    await expect(reading).rejects.toThrow('this Gpu was destroyed');
  });

  it.skipIf(testAdapter === 'gpu')(
    "refuses software where 'gpu' is asked for (needs a software adapter)",
    async () => {
      await expect(openNodeGpu({ adapter: 'gpu', profile: 'checked' })).rejects.toThrow(
        /^adapter 'gpu' needs a hardware adapter, found (none|only .+, which is software): .*'auto' or 'software'$/,
      );
    },
  );
});
