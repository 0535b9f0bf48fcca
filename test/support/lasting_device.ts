/**
 * An adapter whose one device is never destroyed and keeps every pipeline compiled on it: software adapters compile for longer than
 * they compute. Each `Gpu` on it still has buffers, counters and errors of its own.
 */
export function withLastingDevice(adapter: GPUAdapter): GPUAdapter {
  let device: Promise<GPUDevice> | undefined;
  const requestDevice = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
    // The engine asks an adapter for the same whatever its options are.
    device ??= adapter.requestDevice(descriptor).then(keepCompiled);
    // Errors of whoever used the device before are reported by then.
    await (await device).queue.onSubmittedWorkDone();
    return device;
  };
  const { features, limits, info } = adapter;
  return { features, limits, info, requestDevice } as GPUAdapter;
}

/** Makes equal layouts, modules and pipelines one object, and destroy() do nothing. */
function keepCompiled(device: GPUDevice): GPUDevice {
  const ids = new Map<object, number>();
  const idOf = (object: object): number => {
    const id = ids.get(object) ?? ids.size;
    ids.set(object, id);
    return id;
  };
  const once = <D, T>(make: (descriptor: D) => T, keyOf: (descriptor: D) => unknown) => {
    const made = new Map<string, T>();
    return (descriptor: D): T => {
      const key = JSON.stringify(keyOf(descriptor));
      const known = made.get(key) ?? make(descriptor);
      made.set(key, known);
      return known;
    };
  };
  device.createBindGroupLayout = once(device.createBindGroupLayout.bind(device), ({ entries }) => [
    ...entries,
  ]);
  device.createPipelineLayout = once(device.createPipelineLayout.bind(device), ({ bindGroupLayouts }) =>
    [...bindGroupLayouts].map((layout) => layout && idOf(layout)),
  );
  // The label is in the message about WGSL that does not compile.
  device.createShaderModule = once(device.createShaderModule.bind(device), ({ label, code }) => [
    label,
    code,
  ]);
  device.createComputePipelineAsync = once(
    device.createComputePipelineAsync.bind(device),
    ({ layout, compute: { module, entryPoint, constants } }) => [
      typeof layout === 'string' ? layout : idOf(layout),
      idOf(module),
      entryPoint,
      // JSON has no NaN and no infinity.
      Object.entries(constants ?? {}).join(' '),
    ],
  );
  device.destroy = () => undefined;
  return device;
}
