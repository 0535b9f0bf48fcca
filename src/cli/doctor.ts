import { Command } from 'commander';
import { doctor } from '../node/doctor.ts';
import { formatDoctor } from '../node/format-doctor.ts';
import { print } from './output.ts';

/** `doctor`: the capabilities of this machine. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('capabilities of this machine: adapters, drivers, speed, codecs, memory')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const report = await doctor();
      await print(json ? JSON.stringify(report, null, 2) : formatDoctor(report));
    });
}
