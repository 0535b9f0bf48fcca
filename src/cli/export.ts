import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { exportRunOnnx, exportRunSafetensors } from '../avsc/node/runs/export.ts';
import { newestRun, openRun, runFiles, type RunFolder } from '../avsc/node/runs/folder.ts';
import { STAGES, type Stage } from '../avsc/training/records.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { openDevice } from './device.ts';
import { deviceOption, UsageError } from './options.ts';
import { say } from './progress.ts';

type Format = 'safetensors' | 'onnx';

interface ExportOptions {
  readonly format: Format;
  readonly model: Stage;
  readonly out?: string;
  readonly device: AdapterChoice;
  readonly json?: true;
}

/** `export RUN`: a trained model in a format of other programs. */
export function exportCommand(): Command {
  return new Command('export')
    .description(
      "a run's model for other programs: as ONNX, or as safetensors with a description in the metadata",
    )
    .argument('[run]', "the run's folder (default: the newest under runs/)")
    .addOption(
      new Option('--format <name>', 'format of the file')
        .choices(['safetensors', 'onnx'])
        .makeOptionMandatory(),
    )
    .addOption(new Option('--model <name>', 'model to export').choices([...STAGES]).default('joint'))
    .option(
      '--out <path>',
      'the file to write (default: MODEL.onnx or MODEL-exported.safetensors in the run)',
    )
    .addOption(deviceOption())
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      '\nONNX (opset 17): inputs audio [batch, 6, 128, 39] and frames [batch, 2, 3, S, S], outputs logits and\nprobabilities [batch, 10]; the metadata describes the inputs.',
    )
    .action(exportRun);
}

async function exportRun(run: string | undefined, options: ExportOptions): Promise<void> {
  const { format, model } = options;
  const folder = run === undefined ? await newestRun() : await openRun(run);
  if (run === undefined) say(`run: ${folder.path}`);
  const out =
    options.out ?? join(folder.path, format === 'onnx' ? `${model}.onnx` : `${model}-exported.safetensors`);
  if (isOfRun(folder, out)) throw new UsageError(`--out ${out} is a file of the run itself`);
  const fixedBatch = await write(folder, options, out);
  const { size } = await stat(out);
  if (options.json) {
    console.log(JSON.stringify({ run: folder.path, model, format, out, bytes: size, fixedBatch }));
    return;
  }
  console.log(`${out}: the ${model} model of ${folder.path}, ${size} bytes`);
  if (fixedBatch !== null) console.log(`its batch is fixed to 1, since ${fixedBatch}`);
}

function isOfRun({ path }: RunFolder, out: string): boolean {
  const files = runFiles(path);
  const own = [...STAGES.map(files.weights), files.checkpoint, files.config, files.results, files.records];
  return own.some((file) => resolve(file) === resolve(out));
}

/** Writes the file. Returns the reason if the batch is fixed to 1, else null. */
async function write(
  folder: RunFolder,
  { format, model, device }: ExportOptions,
  out: string,
): Promise<string | null> {
  switch (format) {
    case 'safetensors':
      await exportRunSafetensors(folder, model, out);
      return null;
    case 'onnx':
      return (await exportRunOnnx(folder, model, await openDevice(device), out)).fixedBatch;
  }
}
