// Whether a line of a shell sample could be typed as it is.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { messageOf } from '../../src/node/files.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { ROOT } from './samples.ts';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** The programs that samples may call, beside the package's own. */
const OTHERS = ['mkdir', 'deno', 'bun'];

/** Paths of the repository begin so. */
const OURS = /^(src|test|examples|experiments|tools|bench|docs|web|shaders)\//;

/** What is wrong with each command of a line; nothing is run. */
export async function problemsOf(line: string): Promise<string[]> {
  const commands = line
    .replace(/(^| )#.*$/, '')
    .split('&&')
    .map((command) => command.trim().replace(/^([A-Z_]+=\S+ +)+/, ''));
  return (await Promise.all(commands.filter((command) => command !== '').map(problemOf))).filter(
    (problem) => problem !== null,
  );
}

async function problemOf(command: string): Promise<string | null> {
  const words = command.split(/ +/);
  const lost = words.find((word) => OURS.test(word) && !existsSync(join(ROOT, word)));
  if (lost !== undefined) return `${command}: there is no ${lost}`;
  const [program = '', ...rest] = words[0] === 'npx' ? words.slice(1) : words;
  if (program === 'wavelight') return parse(rest, command);
  if (program === 'npm') {
    const script =
      rest[0] === 'run' ? rest[1] : ['test', 'ci', 'i', 'install'].includes(rest[0] ?? '') ? 'test' : '';
    return script !== undefined && script in scripts
      ? null
      : `${command}: npm has no script ${String(script)}`;
  }
  if (OTHERS.includes(program)) return null;
  if (program === 'node' || existsSync(join(ROOT, 'node_modules', '.bin', program))) return null;
  return `${command}: who is ${program}?`;
}

/** Parses a call of the command line by the program itself, whose actions do nothing. */
async function parse(argv: readonly string[], command: string): Promise<string | null> {
  try {
    const program = await buildProgram(argv[0], () => undefined);
    for (const each of allOf(program)) if (each.commands.length === 0) each.action(() => undefined);
    await program.parseAsync([...argv], { from: 'user' });
    return null;
  } catch (error) {
    return `${command}: ${messageOf(error)}`;
  }
}

const allOf = (program: Command): Command[] => [program, ...program.commands.flatMap((each) => allOf(each))];

/** Names of all options of all commands, such as --data. */
export async function optionNames(): Promise<ReadonlySet<string>> {
  const program = await buildProgram(undefined, () => undefined);
  return new Set(allOf(program).flatMap(({ options }) => options.map(({ long }) => long ?? '')));
}
