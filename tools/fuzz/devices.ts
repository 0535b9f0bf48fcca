import type { Device } from '../../src/index.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import { testDevice } from '../../test/support/engine.ts';
import type { Devices } from './judge.ts';

/** Devices of all ways, shared by all nets, so that a kernel is compiled once. */
export async function openDevices(precision: Precision = 'f32'): Promise<{
  devices: Devices;
  all: readonly Device[];
  close: () => Promise<void>;
}> {
  const opened = new Map<string, Device>();
  for (const fusion of [true, false])
    for (const kind of ['cpu', 'gpu'] as const)
      opened.set(`${fusion} ${kind}`, await testDevice({ fusion, kind }));
  // Gradients are about 1, which the usual scale would make infinite.
  if (precision === 'f16')
    for (const device of opened.values())
      device.enableLossScale().load({ scale: 1, goodSteps: 0, skipped: 0 });
  return {
    devices: ({ fusion, kind }) => {
      const device = opened.get(`${fusion} ${kind}`);
      if (device === undefined) throw new Error(`no device is open for ${kind} kernels`);
      return device;
    },
    all: [...opened.values()],
    close: async () => {
      for (const device of opened.values()) await device.destroy();
    },
  };
}
