import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { resultStages } from '../avsc/experiment/experiment.ts';
import { exportRunOnnx, exportRunSafetensors } from '../avsc/node/runs/export.ts';
import { newestRun, openRun, runFiles, weightsFile, type RunFolder } from '../avsc/node/runs/folder.ts';
import { findStage } from '../avsc/training/model.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkOutput } from '../node/files.ts';
import { openDevice } from './device.ts';
import { deviceOption, UsageError } from './options.ts';
import { print } from './output.ts';
import { say } from './say.ts';

type Format = 'safetensors' | 'onnx';

interface ExportOptions {
  readonly format: Format;
  readonly model?: string;
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
    .option('--model <name>', "stage whose model is exported (default: the run's result)")
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
  const { format } = options;
  const folder = run === undefined ? await newestRun() : await openRun(run);
  const { recipe } = folder.config;
  const [first = ''] = resultStages(recipe);
  if (options.model === undefined && resultStages(recipe).length > 1)
    throw new UsageError(`the result of ${folder.path} is a product of models: name one with --model`);
  const model = findStage(recipe, options.model ?? first).id;
  if (run === undefined) say(`run: ${folder.path}`);
  const out =
    options.out ?? join(folder.path, format === 'onnx' ? `${model}.onnx` : `${model}-exported.safetensors`);
  if (isOfRun(folder, out)) throw new UsageError(`--out ${out} is a file of the run itself`);
  await checkOutput(out);
  const fixedBatch = await write(folder, model, options, out);
  const { size } = await stat(out);
  if (options.json) {
    await print(JSON.stringify({ run: folder.path, model, format, out, bytes: size, fixedBatch }));
    return;
  }
  const note = fixedBatch === null ? '' : `\nits batch is fixed to 1, since ${fixedBatch}`;
  await print(`${out}: the ${model} model of ${folder.path}, ${size} bytes${note}`);
}

function isOfRun(folder: RunFolder, out: string): boolean {
  const files = runFiles(folder.path);
  const weights = folder.config.recipe.stages.map(({ id }) => weightsFile(folder, id));
  const own = [...weights, files.checkpoint, files.config, files.results, files.records];
  return own.some((file) => resolve(file) === resolve(out));
}

/** Writes the file. Returns the reason if the batch is fixed to 1, else null. */
async function write(
  folder: RunFolder,
  model: string,
  { format, device }: ExportOptions,
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
