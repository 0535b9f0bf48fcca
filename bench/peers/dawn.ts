/* The page that tfjs and jax-js expect, with wavelight's own adapter in it, and a count of what they send to the device. */
import { describeAdapter, LIMITS, type Profile } from '../../src/gpu/gpu.ts';
import { openNodeGpu, type AdapterChoice } from '../../src/node/adapter.ts';

interface Page {
  readonly counts: { dispatches: number; submits: number };
  /** Name of the adapter of the device that was made last. */
  adapter(): string;
  /** That device. Throws an Error if the peer made none. */
  device(): GPUDevice;
}

/** Sets navigator.gpu, navigator.userAgent and WebGPU's constants in this process. */
export async function openPage(choice: AdapterChoice, profile: Profile): Promise<Page> {
  const { globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const made: GPUDevice[] = [];
  const gpu = {
    // An adapter gives one device only, so each request gets an adapter of its own.
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

/** As much as the adapter has, as wavelight asks for itself. */
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
