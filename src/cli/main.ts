// The command line: `wavelight COMMAND ...`. Checks that what a command needs is installed before anything of it is loaded.

import { doctor } from '../node/doctor.ts';
import { messageOf } from '../node/files.ts';
import { formatDoctor } from '../node/format-doctor.ts';
import {
  ALL_PACKAGES,
  installCommand,
  missingMessage,
  missingPackages,
  type Need,
} from '../node/packages.ts';
import { isCommand, NEEDS } from './needs.ts';
import { listenForStreamErrors, print } from './output.ts';
import { say } from './say.ts';

/** What help of all commands loads. */
const ALL_COMMANDS: readonly Need[] = ['progress', 'pictures'];

async function main(argv: readonly string[]): Promise<number> {
  const [command = ''] = argv;
  const missing = missingFor(command);
  if (missing.length > 0) return withoutPackages(command, missing);
  const { runProgram } = await import('./program.ts');
  return runProgram(argv);
}

/** Packages that a command line needs and that are not installed. */
function missingFor(command: string): string[] {
  const needs: readonly Need[] = isCommand(command) ? NEEDS[command] : ALL_COMMANDS;
  // Whether a device needs the software adapter's packages is known when it is opened. Named here are they if others are missing too.
  const certain = needs.map((need) => (need === 'device' ? 'hardware' : need));
  return missingPackages('commands', ...certain).length > 0 ? missingPackages('commands', ...needs) : [];
}

/** What can be done without the packages: a look at the machine, and help. */
async function withoutPackages(command: string, missing: readonly string[]): Promise<number> {
  const known = isCommand(command);
  if (known && command !== 'doctor') {
    say(`wavelight: ${missingMessage(`wavelight ${command}`, missing)}`);
    return 1;
  }
  try {
    await print(known ? formatDoctor(await doctor()) : helpWithoutPackages(missing));
    return known || command.startsWith('-') ? 0 : 2;
  } catch (error) {
    say(`wavelight: ${messageOf(error)}`);
    return 1;
  }
}

const helpWithoutPackages = (missing: readonly string[]): string => `Usage: wavelight COMMAND [options]

Commands: ${Object.keys(NEEDS).join(', ')}

${missingMessage('the command line', missing)}
for all commands: ${installCommand(ALL_PACKAGES)}`;

listenForStreamErrors();
// The status is set instead of calling exit(), so that pending writes to a pipe are finished.
process.exitCode = await main(process.argv.slice(2));
