import { afterEach, describe, expect, it } from 'vitest';
import { Device, type DeviceOptions } from '../../src/node.ts';
import { testAdapter } from '../support/device.ts';

/** What a device prints while it adds two numbers. */
async function linesOf(options: DeviceOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  const device = await Device.create({ adapter: testAdapter, log: (line) => lines.push(line), ...options });
  expect(
    await device
      .tensor([1])
      .add(device.tensor([2]))
      .item(),
  ).toBe(3);
  await device.sync();
  await device.destroy();
  return lines;
}

describe('the environment variable DEBUG', () => {
  const before = process.env['DEBUG'];
  afterEach(() => {
    if (before === undefined) delete process.env['DEBUG'];
    else process.env['DEBUG'] = before;
  });

  it('sets the level: 1 the adapter and programs, 4 also the WGSL', async () => {
    process.env['DEBUG'] = '1';
    const brief = (await linesOf()).join('\n');
    expect(brief).toMatch(/^adapter: /);
    expect(brief).toContain('program: 1 dispatches');
    expect(brief).not.toContain('@compute');
    process.env['DEBUG'] = '4';
    expect((await linesOf()).join('\n')).toContain('@compute');
  });

  it('gives way to the option', async () => {
    process.env['DEBUG'] = '4';
    expect(await linesOf({ debug: 0 })).toEqual([]);
  });

  it("means nothing where it is another package's", async () => {
    process.env['DEBUG'] = 'express:*';
    expect(await linesOf()).toEqual([]);
  });
});
