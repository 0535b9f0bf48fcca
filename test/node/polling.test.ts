import { afterEach, describe, expect, it, vi } from 'vitest';
import { pausePolls } from '../../src/node/polling.ts';
import { axpy } from '../gpu/axpy.ts';
import { buffer } from '../kernels/run.ts';
import { ownGpu } from '../support/device.ts';

afterEach(() => vi.restoreAllMocks());

/** Polls as Dawn does, by whatever is the global `setImmediate` at each poll; `onPoll` says whether it is done. */
function fakeTypes(onPoll: () => boolean) {
  class GPUBuffer {
    readonly size = 7;
    mapAsync(mode: number): Promise<number> {
      return new Promise((resolve) => {
        const poll = (): unknown => (onPoll() ? resolve(this.size * mode) : globalThis.setImmediate(poll));
        globalThis.setImmediate(poll);
      });
    }
  }
  return { GPUBuffer };
}

describe('polls for what Dawn has done', () => {
  it('pause once a wait is long', async () => {
    let [now, polls] = [0, 0];
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const pauses = vi.spyOn(globalThis, 'setTimeout');
    const types = fakeTypes(() => {
      now += 0.1;
      return ++polls === 100;
    });
    pausePolls(types);
    const own = globalThis.setImmediate;
    const waiting = new types.GPUBuffer().mapAsync(6);
    expect(globalThis.setImmediate).toBe(own);
    expect(await waiting).toBe(42);
    expect(globalThis.setImmediate).toBe(own);
    // After the first 4 ms, which are 40 polls.
    expect(pauses).toHaveBeenCalledTimes(60);
  });

  it('are changed once, whoever asks', () => {
    const { GPUBuffer } = fakeTypes(() => true);
    pausePolls({ GPUBuffer });
    const methods = Object.getOwnPropertyDescriptors(GPUBuffer.prototype);
    pausePolls({ GPUBuffer });
    expect(Object.getOwnPropertyDescriptors(GPUBuffer.prototype)).toEqual(methods);
  });

  it('are those of the real Dawn too', async () => {
    const gpu = await ownGpu();
    const pauses = vi.spyOn(globalThis, 'setTimeout');
    const [x, y] = [buffer(64), buffer(64)];
    await gpu.pipelines.prepare(Array.from({ length: 20 }, (_, bias) => axpy(x, y, 1, { bias })));
    // Others than software adapters compile in less time than a pause.
    if (gpu.description.kind === 'cpu') expect(pauses).toHaveBeenCalled();
    gpu.destroy();
  });
});
