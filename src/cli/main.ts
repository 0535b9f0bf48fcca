// The command line: `wavelight COMMAND ...`, one file per command.

import { Command, CommanderError } from 'commander';
import { messageOf } from '../avsc/node/files.ts';
import { DatasetError } from '../avsc/node/dataset.ts';
import { doctorCommand } from './doctor.ts';
import { evalCommand } from './eval.ts';
import { featuresCommand } from './features.ts';
import { Interrupted } from './interrupt.ts';
import { UsageError } from './options.ts';
import { predictCommand } from './predict.ts';
import { prepareCommand } from './prepare.ts';
import { trainCommand } from './train.ts';

const COMMANDS = [trainCommand, prepareCommand, evalCommand, predictCommand, featuresCommand, doctorCommand];

function buildProgram(): Command {
  const program = new Command('wavelight')
    .description(
      'Audio-visual scene classification on WebGPU: one of ten scenes for each second of sound and picture.',
    )
    .showSuggestionAfterError(false)
    .exitOverride()
    // The message comes from the error, which main() prints.
    .configureOutput({ outputError: () => undefined });
  for (const make of COMMANDS) program.addCommand(make().copyInheritedSettings(program));
  return program;
}

async function main(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    if (argv.length === 0)
      throw new UsageError(`name a command: ${program.commands.map((c) => c.name()).join(', ')}`);
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return report(error, argv[0] ?? '');
  }
}

/** Says on stderr what went wrong and returns the exit status: 2 for bad usage, 1 for failure, 130 for Ctrl-C. */
function report(error: unknown, command: string): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (error instanceof Interrupted) {
    console.error(`wavelight: ${error.message}`);
    return 130;
  }
  if (error instanceof CommanderError || error instanceof UsageError) {
    const help =
      command === '' || command.startsWith('-') ? 'wavelight --help' : `wavelight ${command} --help`;
    console.error(`wavelight: ${messageOf(error).replace(/^error: /, '')} (see ${help})`);
    return 2;
  }
  // A data set's faults are a list, one line each; all else is one line.
  console.error(`wavelight: ${error instanceof DatasetError ? error.message : messageOf(error)}`);
  if (process.env['WAVELIGHT_DEBUG'] && error instanceof Error) console.error(error.stack, error.cause ?? '');
  return 1;
}

// Set rather than exit(): what is still being written to a pipe must get there.
process.exitCode = await main(process.argv.slice(2));
