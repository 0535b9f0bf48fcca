import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { resultStages } from '../avsc/experiment/experiment.ts';
import { exportAllSafetensors, exportRunOnnx, exportRunSafetensors } from '../avsc/node/runs/export.ts';
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
  readonly all?: true;
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
    .option('--all', 'all models in one file, for pages that judge sound, pictures or both; as safetensors')
    .option(
      '--out <path>',
      'the file to write (default: MODEL.onnx, MODEL-exported.safetensors or all-exported.safetensors in the run)',
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
  const model = options.all ? null : modelOf(folder, options.model);
  if (options.all && format !== 'safetensors')
    throw new UsageError('--all is for --format safetensors: an ONNX file holds one model');
  if (options.all && options.model !== undefined)
    throw new UsageError('--all exports every model, --model one: leave one of them out');
  if (run === undefined) say(`run: ${folder.path}`);
  const out =
    options.out ??
    join(folder.path, format === 'onnx' ? `${model ?? ''}.onnx` : `${model ?? 'all'}-exported.safetensors`);
  if (isOfRun(folder, out)) throw new UsageError(`--out ${out} is a file of the run itself`);
  await checkOutput(out);
  const fixedBatch = await write(folder, model, options, out);
  const { size } = await stat(out);
  if (options.json) {
    await print(JSON.stringify({ run: folder.path, model, format, out, bytes: size, fixedBatch }));
    return;
  }
  const note = fixedBatch === null ? '' : `\nits batch is fixed to 1, since ${fixedBatch}`;
  const what = model === null ? `all ${recipe.stages.length} models` : `the ${model} model`;
  await print(`${out}: ${what} of ${folder.path}, ${size} bytes${note}`);
}

/** Id of the stage that is named, or else of the run's result. */
function modelOf({ path, config: { recipe } }: RunFolder, named: string | undefined): string {
  const [first = '', ...others] = resultStages(recipe);
  if (named === undefined && others.length > 0)
    throw new UsageError(
      `the result of ${path} is a product of models: name one with --model, or take --all with --format safetensors`,
    );
  return findStage(recipe, named ?? first).id;
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
  model: string | null,
  { format, device }: ExportOptions,
  out: string,
): Promise<string | null> {
  if (model === null) {
    await exportAllSafetensors(folder, out);
    return null;
  }
  switch (format) {
    case 'safetensors':
      await exportRunSafetensors(folder, model, out);
      return null;
    case 'onnx':
      return (await exportRunOnnx(folder, model, await openDevice(device), out)).fixedBatch;
  }
}
