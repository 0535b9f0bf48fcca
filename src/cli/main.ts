// The command line: `wavelight COMMAND ...`. Checks that what a command needs is installed before anything of it is loaded.

import { doctor } from '../node/doctor.ts';
import { messageOf } from '../node/files.ts';
import { formatDoctor } from '../node/format-doctor.ts';
import { installCommand, missingMessage, missingPackages, PACKAGES, type Need } from '../node/packages.ts';
import { isCommand, NEEDS } from './needs.ts';
import { listenForStreamErrors, print } from './output.ts';
import { say } from './say.ts';

const [command = ''] = process.argv.slice(2);

listenForStreamErrors();
// The status is set instead of calling exit(), so that pending writes to a pipe are finished.
process.exitCode = await main();

async function main(): Promise<number> {
  const missing = missingFor(command);
  if (missing.length > 0) return withoutPackages(missing);
  const { runProgram } = await import('./program.ts');
  return runProgram(process.argv.slice(2));
}

/** What a command line lacks. Help of all commands loads them all. */
function missingFor(name: string): string[] {
  const helps = name === '' || name.startsWith('-');
  const needs: readonly Need[] = isCommand(name) ? NEEDS[name] : helps ? ['progress', 'pictures'] : [];
  const loaded = needs.filter((need) => need !== 'device');
  const missing = missingPackages('commands', ...loaded, ...(needs.includes('device') ? HARDWARE : []));
  // Whoever installs packages may as well install those of the software adapter, which it takes a device to know the need of.
  return missing.length > 0 ? missingPackages('commands', ...needs) : [];
}

const HARDWARE: readonly Need[] = ['hardware'];

/** What can be done without the packages: help, and a look at the machine. */
async function withoutPackages(missing: readonly string[]): Promise<number> {
  try {
    if (command === 'doctor') {
      await print(formatDoctor(await doctor()));
      return 0;
    }
    if (isCommand(command)) throw new Error(missingMessage(`wavelight ${command}`, missing));
    await print(
      [
        `Usage: wavelight COMMAND [options]`,
        ``,
        `Commands: ${Object.keys(NEEDS).join(', ')}`,
        ``,
        `${missingMessage('the command line', missing)}`,
        `All that any command needs: ${installCommand([...new Set(Object.values(PACKAGES).flat())])}`,
      ].join('\n'),
    );
    return 0;
  } catch (error) {
    say(`wavelight: ${messageOf(error)}`);
    return 1;
  }
}
