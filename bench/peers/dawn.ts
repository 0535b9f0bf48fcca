/* The browser globals that tfjs and jax-js expect, with wavelight's own adapter, and counters of dispatches and submits. */
import { describeAdapter, LIMITS, type Profile } from '../../src/gpu/gpu.ts';
import { openNodeGpu, type AdapterChoice } from '../../src/node/adapter.ts';

interface Page {
  readonly counts: { dispatches: number; submits: number };
  /** Name of the adapter of the newest device. */
  adapter(): string;
  /** The newest device. Throws an Error if the peer has created none. */
  device(): GPUDevice;
}

/** Sets navigator.gpu, navigator.userAgent and WebGPU's constants in this process. */
export async function openPage(choice: AdapterChoice, profile: Profile): Promise<Page> {
  const { globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const made: GPUDevice[] = [];
  const gpu = {
    // An adapter gives only one device, so each request gets its own adapter.
    requestAdapter: async (): Promise<GPUAdapter> => {
      const { adapter } = await openNodeGpu({ adapter: choice, profile });
      const requestDevice = adapter.requestDevice.bind(adapter);
      Object.defineProperty(adapter, 'requestDevice', {
        value: async (descriptor: GPUDeviceDescriptor = {}) => {
          const device = await requestDevice(withLimits(adapter, descriptor));
          made.push(device);
          return device;
        },
      });
      return adapter;
    },
    getPreferredCanvasFormat: () => 'rgba8unorm',
  };
  Object.defineProperty(globalThis, 'navigator', {
    value: { gpu, userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/147', hardwareConcurrency: 4 },
    configurable: true,
  });
  const device = (): GPUDevice => {
    const last = made.at(-1);
    if (last === undefined) throw new Error('this peer has asked for no WebGPU device');
    return last;
  };
  return { counts: countCalls(), device, adapter: () => describeAdapter(device().adapterInfo).name };
}

/** A descriptor with the adapter's own limits, as wavelight requests them. */
function withLimits(adapter: GPUAdapter, descriptor: GPUDeviceDescriptor): GPUDeviceDescriptor {
  const limits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
  return { ...descriptor, requiredLimits: { ...limits, ...descriptor.requiredLimits } };
}

function countCalls(): Page['counts'] {
  const counts = { dispatches: 0, submits: 0 };
  const count = (prototype: object, method: string, key: keyof typeof counts): void => {
    const original = Reflect.get(prototype, method) as (this: unknown, ...args: unknown[]) => unknown;
    Reflect.set(prototype, method, function (this: unknown, ...args: unknown[]) {
      counts[key]++;
      return original.apply(this, args);
    });
  };
  count(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', 'dispatches');
  count(GPUComputePassEncoder.prototype, 'dispatchWorkgroupsIndirect', 'dispatches');
  count(GPUQueue.prototype, 'submit', 'submits');
  return counts;
}
