import { Command } from 'commander';
import { predictMedia, type MediaPredictor } from '../avsc/node/runs/predict-media.ts';
import { exists, newestRun, runFiles } from '../avsc/node/runs/folder.ts';
import { isModelFile, modelsOfRun, openTrained, type TrainedModels } from '../avsc/node/runs/trained.ts';
import { argmaxRow } from '../avsc/training/metrics.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { checkFile } from '../node/files.ts';
import { openDevice } from './device.ts';
import { eachFile } from './each-file.ts';
import { withInterrupt } from './interrupt.ts';
import { deviceOption, UsageError } from './options.ts';
import { print } from './output.ts';
import { say } from './say.ts';
import { printable } from './table.ts';

/** `predict [RUN] FILES...`: one JSON line per second of each file. */
export function predictCommand(): Command {
  return new Command('predict')
    .description('the scene of each second of media files, one JSON line per second')
    .argument('<paths...>', "media files; a run's folder or a safetensors file of models may come first")
    .option(
      '--run <dir>',
      "the run's folder, or a safetensors file of models (default: the newest under runs/)",
    )
    .addOption(deviceOption())
    .addHelpText(
      'after',
      '\nFiles without pictures are judged by the audio model, files without sound by the video model.\nA file that cannot be used is named on stderr, and the others go on; the exit status is then 1.',
    )
    .action(async (paths: string[], { run, device }: { run?: string; device: AdapterChoice }) => {
      await withInterrupt((signal) => predict(paths, run, device, signal));
    });
}

async function predict(
  paths: string[],
  run: string | undefined,
  choice: AdapterChoice,
  signal: AbortSignal,
): Promise<void> {
  const [first = '', ...rest] = paths;
  const leading = run === undefined && ((await isModelFile(first)) || (await exists(runFiles(first).config)));
  const files = leading ? rest : paths;
  if (files.length === 0) throw new UsageError('name at least one media file after the run');
  const trained = await findModels(leading ? first : run);
  const { scenes } = trained.experiment;
  const device = await openDevice(choice);
  const predictor: MediaPredictor = predictMedia(trained, device);
  try {
    await eachFile(files, async (file) => {
      await checkFile(file);
      const { models, probabilities, warnings, truncated } = await predictor.predict(file, signal);
      for (const warning of warnings) say(printable(warning));
      const lines: string[] = [];
      for (let second = 0; second * scenes.length < probabilities.length; second++) {
        const row = probabilities.subarray(second * scenes.length, (second + 1) * scenes.length);
        const best = argmaxRow(row, 0, scenes.length);
        const line = {
          file,
          second,
          scene: scenes[best],
          probability: rounded(row[best] ?? 0),
          model: models.join(' x '),
          ...(truncated ? { truncated } : {}),
          probabilities: Object.fromEntries(scenes.map((scene, c) => [scene, rounded(row[c] ?? 0)])),
        };
        lines.push(JSON.stringify(line));
      }
      await print(lines.join('\n'));
    });
  } finally {
    predictor.dispose();
  }
}

async function findModels(path: string | undefined): Promise<TrainedModels> {
  if (path !== undefined) return openTrained(path);
  const folder = await newestRun();
  say(`run: ${folder.path}`);
  return modelsOfRun(folder);
}

const rounded = (value: number): number => Number(value.toFixed(6));
