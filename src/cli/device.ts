import { NodeDevice } from '../node/device.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import type { DeviceOptions } from '../tensor/device.ts';
import { say } from './say.ts';

/** Opens a device for a command and prints its name, with a warning if it is a software adapter. */
export async function openDevice(
  choice: AdapterChoice,
  options: Pick<DeviceOptions, 'fusion'> = {},
): Promise<NodeDevice> {
  const device = await NodeDevice.create({ ...options, adapter: choice, profile: 'fast' });
  const { name, kind } = device.description;
  say(
    kind === 'gpu'
      ? `device: ${name}`
      : `device: ${name}, which is software on the CPU: expect it to be slow`,
  );
  return device;
}
