// The program of the command line: one file per command.

import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { Command, CommanderError, Help } from 'commander';
import { messageOf } from '../node/files.ts';
import { DatasetError } from '../avsc/node/data/dataset.ts';
import { Interrupted } from './interrupt.ts';
import { isCommand, type CommandName } from './needs.ts';
import { UsageError } from './options.ts';
import { OutputClosed, print } from './output.ts';
import { say } from './say.ts';
import { printable } from './table.ts';

/** Commands are loaded on demand, because each needs other libraries. */
const COMMANDS: Readonly<Record<CommandName, () => Promise<() => Command>>> = {
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

/** The package's own description lies in its root: two levels up from this source file, one from a file of the build. */
const PACKAGE = new URL(
  import.meta.url.endsWith('.ts') ? '../../package.json' : '../package.json',
  import.meta.url,
);

const versionOf = (file: URL): string =>
  (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;

const required = (description: string, isRequired: boolean): string =>
  isRequired ? `${description} (required)` : description;

/** The program with the called command, or with all of them if none is called. Help and version go to `writeOut`. */
export async function buildProgram(
  called: string | undefined,
  writeOut: (text: string) => void,
): Promise<Command> {
  const help = new Help();
  const program = new Command('wavelight')
    .description(
      'Audio-visual scene classification on WebGPU: one of ten scenes for each second of sound and picture.',
    )
    .version(versionOf(PACKAGE))
    .configureHelp({
      optionDescription: (option) => required(help.optionDescription(option), option.mandatory),
      argumentDescription: (argument) => required(help.argumentDescription(argument), argument.required),
    })
    .showSuggestionAfterError(false)
    .exitOverride()
    // The message comes from the error, which main() prints.
    .configureOutput({ writeOut, writeErr: () => undefined, outputError: () => undefined });
  const load = called !== undefined && isCommand(called) ? COMMANDS[called] : undefined;
  const makers = await Promise.all((load ? [load] : Object.values(COMMANDS)).map((loader) => loader()));
  for (const make of makers) {
    const command = make().copyInheritedSettings(program);
    for (const part of command.commands) part.copyInheritedSettings(command);
    program.addCommand(command);
  }
  return program;
}

/** Runs a command line without the program's name; gives the exit status. Errors are printed. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (error) {
    return report(error, argv[0] ?? '');
  }
}

async function run(argv: readonly string[]): Promise<number> {
  const texts: string[] = [];
  try {
    if (argv.length === 0) throw new UsageError(`name a command: ${Object.keys(COMMANDS).join(', ')}`);
    const program = await buildProgram(argv[0], (text) => void texts.push(text));
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
    // Commander has made the text that was asked for: help, or the version.
    await print(texts.join('').trimEnd());
  }
  return 0;
}

/** Prints an error on stderr and returns the exit status: 2 for bad usage, 1 for failure, 128 plus the signal's number for a stop. */
function report(error: unknown, command: string): number {
  if (error instanceof OutputClosed) return 0;
  if (error instanceof Interrupted) {
    say(`wavelight: ${error.message}`);
    return error.status;
  }
  if (error instanceof CommanderError || error instanceof UsageError) {
    const help =
      command === '' || command.startsWith('-') ? 'wavelight --help' : `wavelight ${command} --help`;
    // Commander's own error for a command without its second word has a name for a message.
    const nameless = error instanceof CommanderError && error.code === 'commander.help';
    const message = nameless ? `name what ${command} is to do` : messageOf(error).replace(/^error: /, '');
    say(`wavelight: ${message} (see ${help})`);
    return 2;
  }
  // A DatasetError lists one problem per line; any other error is one line.
  say(`wavelight: ${error instanceof DatasetError ? error.message : printable(messageOf(error))}`);
  if (process.env['WAVELIGHT_DEBUG'] && error instanceof Error)
    say(`${error.stack ?? ''} ${inspect(error.cause)}`);
  return 1;
}
