// The command line: `wavelight COMMAND ...`, one file per command.

import { Command, CommanderError } from 'commander';
import { messageOf } from '../node/files.ts';
import { DatasetError } from '../avsc/node/data/dataset.ts';
import { Interrupted } from './interrupt.ts';
import { UsageError } from './options.ts';
import { printable } from './table.ts';

/** Commands are loaded on demand, because each needs other libraries. */
const COMMANDS: Readonly<Record<string, () => Promise<() => Command>>> = {
  train: () => import('./train.ts').then(({ trainCommand }) => trainCommand),
  reproduce: () => import('./reproduce.ts').then(({ reproduceCommand }) => reproduceCommand),
  prepare: () => import('./prepare.ts').then(({ prepareCommand }) => prepareCommand),
  eval: () => import('./eval.ts').then(({ evalCommand }) => evalCommand),
  predict: () => import('./predict.ts').then(({ predictCommand }) => predictCommand),
  export: () => import('./export.ts').then(({ exportCommand }) => exportCommand),
  inspect: () => import('./inspect.ts').then(({ inspectCommand }) => inspectCommand),
  import: () => import('./import.ts').then(({ importCommand }) => importCommand),
  classify: () => import('./classify.ts').then(({ classifyCommand }) => classifyCommand),
  'fetch-weights': () => import('./fetch-weights.ts').then(({ fetchWeightsCommand }) => fetchWeightsCommand),
  features: () => import('./features.ts').then(({ featuresCommand }) => featuresCommand),
  augment: () => import('./augment.ts').then(({ augmentCommand }) => augmentCommand),
  bench: () => import('./bench.ts').then(({ benchCommand }) => benchCommand),
  doctor: () => import('./doctor.ts').then(({ doctorCommand }) => doctorCommand),
};

/** The program with the called command, or with all of them if none is called. */
async function buildProgram(called: string | undefined): Promise<Command> {
  const program = new Command('wavelight')
    .description(
      'Audio-visual scene classification on WebGPU: one of ten scenes for each second of sound and picture.',
    )
    .showSuggestionAfterError(false)
    .exitOverride()
    // The message comes from the error, which main() prints.
    .configureOutput({ outputError: () => undefined });
  const load = called === undefined ? undefined : COMMANDS[called];
  const makers = await Promise.all((load ? [load] : Object.values(COMMANDS)).map((loader) => loader()));
  for (const make of makers) {
    const command = make().copyInheritedSettings(program);
    for (const part of command.commands) part.copyInheritedSettings(command);
    program.addCommand(command);
  }
  return program;
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    if (argv.length === 0) throw new UsageError(`name a command: ${Object.keys(COMMANDS).join(', ')}`);
    const program = await buildProgram(argv[0]);
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return report(error, argv[0] ?? '');
  }
}

/** Prints an error on stderr and returns the exit status: 2 for bad usage, 1 for failure, 128 plus the signal's number for a stop. */
function report(error: unknown, command: string): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  if (error instanceof Interrupted) {
    console.error(`wavelight: ${error.message}`);
    return error.status;
  }
  if (error instanceof CommanderError || error instanceof UsageError) {
    const help =
      command === '' || command.startsWith('-') ? 'wavelight --help' : `wavelight ${command} --help`;
    console.error(`wavelight: ${messageOf(error).replace(/^error: /, '')} (see ${help})`);
    return 2;
  }
  // A DatasetError lists one problem per line; any other error is one line.
  console.error(`wavelight: ${error instanceof DatasetError ? error.message : printable(messageOf(error))}`);
  if (process.env['WAVELIGHT_DEBUG'] && error instanceof Error) console.error(error.stack, error.cause ?? '');
  return 1;
}

// The status is set instead of calling exit(), so that pending writes to a pipe are finished.
process.exitCode = await main(process.argv.slice(2));
