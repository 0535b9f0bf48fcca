import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command } from 'commander';
import { withCheckpoint } from '../avsc/node/weights/checkpoint-file.ts';
import { sha256Of } from '../avsc/node/weights/given.ts';
import type { Architecture, ArchitectureName } from '../avsc/weights/architecture.ts';
import { findArchitecture } from '../avsc/weights/architectures.ts';
import {
  formatReport,
  importWeights,
  type ImportOptions,
  type ImportReport,
} from '../avsc/weights/import.ts';
import type { NamedTensors } from '../avsc/weights/names.ts';
import type { CheckpointFile } from '../nn/checkpoint/checkpoint.ts';
import { safetensorsPieces } from '../nn/checkpoint/safetensors/file.ts';
import { writeFileAtomic } from '../node/files.ts';
import { withInterrupt, type Interrupted } from './interrupt.ts';
import { UsageError, whole } from './options.ts';
import { print, printAndThrow } from './output.ts';
import { printable } from './table.ts';
import { archOption, companionsOf, meanOption } from './weights.ts';

interface ImportCommandOptions {
  readonly out: string;
  readonly arch?: ArchitectureName;
  readonly classes?: number;
  readonly dropHead?: true;
  readonly mean?: string;
  readonly strict: boolean;
  readonly json?: true;
}

/** `import FILE`: converts a checkpoint of any format to safetensors, in the names and layout of a net. */
export function importCommand(): Command {
  return new Command('import')
    .description('converts a checkpoint to safetensors, with a report of every name')
    .argument('<file>', 'PyTorch (old and new), Keras HDF5 or safetensors, identified by its content')
    .requiredOption('--out <path>', 'the safetensors file to write')
    .addOption(archOption().default(undefined, 'unchanged names and layout'))
    .option(
      '--classes <n>',
      "number of classes of the net's head (default: that of the published weights)",
      whole(1),
    )
    .option('--drop-head', 'leave the head out, so that the extractor remains')
    .addOption(meanOption())
    .option(
      '--no-strict',
      'write the tensors that fit, even if others are missing, unexpected or of another shape',
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nOne tensor at a time is in memory. The result is written atomically.')
    .action(async (path: string, options: ImportCommandOptions) => {
      checkUsage(options);
      await withInterrupt((signal) => importFile(path, options, signal));
    });
}

function checkUsage({ out, arch, classes, dropHead, mean, strict }: ImportCommandOptions): void {
  if (!out.endsWith('.safetensors')) throw new UsageError(`--out ${out} must end in .safetensors`);
  if (arch === undefined && (classes !== undefined || dropHead || mean !== undefined || !strict)) {
    throw new UsageError('--classes, --drop-head, --mean and --no-strict need --arch, which says what fits');
  }
  if (classes !== undefined && dropHead)
    throw new UsageError('--classes is about the head, which --drop-head leaves out');
}

async function importFile(path: string, options: ImportCommandOptions, signal: AbortSignal): Promise<void> {
  const { out, arch, json } = options;
  await withCheckpoint(path, async (file) => {
    if ((await realPath(out)) === (await realPath(path)))
      throw new UsageError(`--out ${out} is the file itself`);
    const fitted =
      arch === undefined ? { tensors: file.tensors } : await fit(path, file, findArchitecture(arch), options);
    const metadata = new Map([...file.metadata, ...(await origin(path, file, options))]);
    await writeFileAtomic(out, untilAborted(safetensorsPieces(fitted.tensors, metadata), signal));
    const { report } = fitted;
    const count = fitted.tensors.size;
    const written = `${out}: ${count} tensors from ${path} (${file.format})`;
    const text = report === undefined ? written : `${reportText(report)}\n${written}`;
    await print(json ? JSON.stringify({ file: path, out, tensors: count, ...report }) : text);
  });
}

interface Fitted {
  readonly tensors: NamedTensors;
  readonly report?: ImportReport;
}

/** The tensors in the net's names and layout. Prints the report if it throws because a tensor does not fit. */
async function fit(
  path: string,
  file: CheckpointFile,
  architecture: Architecture,
  { classes, dropHead, mean, strict, json }: ImportCommandOptions,
): Promise<Fitted> {
  const options: ImportOptions = {
    ...(classes === undefined ? {} : { classes }),
    dropHead: dropHead ?? false,
    companions: await companionsOf(architecture, path, mean),
  };
  const fitted = importWeights(file, architecture, { ...options, strict: false });
  if (!strict) return fitted;
  try {
    return importWeights(file, architecture, options);
  } catch (error) {
    const { report } = fitted;
    return await printAndThrow(
      json ? JSON.stringify({ file: path, out: null, ...report }) : reportText(report),
      error,
    );
  }
}

const reportText = (report: ImportReport): string =>
  formatReport(report).split('\n').map(printable).join('\n');

/** Metadata about the origin of the weights. */
async function origin(
  path: string,
  { format }: CheckpointFile,
  { arch, classes, dropHead, mean }: ImportCommandOptions,
): Promise<[string, string][]> {
  const architecture = arch === undefined ? undefined : findArchitecture(arch);
  return [
    ['imported_from', basename(path)],
    ['imported_format', format],
    ['imported_sha256', await sha256Of(path)],
    ...(architecture === undefined ? [] : ([['architecture', architecture.name]] as [string, string][])),
    ...(architecture === undefined || dropHead
      ? []
      : ([['classes', String(classes ?? architecture.classes)]] as [string, string][])),
    ...(mean === undefined ? [] : ([['mean_image', basename(mean)]] as [string, string][])),
  ];
}

/** Passes the pieces on; throws between two of them if the signal is aborted. */
async function* untilAborted(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    if (signal.aborted) throw (signal.reason as Interrupted).with('stopped; nothing was written');
    yield piece;
  }
}

/** The file's real path; undefined if it does not exist. */
const realPath = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
