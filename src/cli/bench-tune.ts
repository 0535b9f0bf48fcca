// `wavelight bench tune`: measures which geometry of each kernel is the fastest on this device, and keeps it for later plans.

import { Command, InvalidArgumentError } from 'commander';
import { MODELS, type ModelName } from '../../bench/model.ts';
import { formatTable } from '../../bench/report.ts';
import { tuneModel, type TunedModel } from '../../bench/tune.ts';
import type { AdapterChoice } from '../node/adapter.ts';
import { tuneMultiprocessors, tuningFile } from '../node/tuning.ts';
import { formatChoice } from '../tensor/tune/format.ts';
import type { TuneResult } from '../tensor/tune/tune.ts';
import { openDevice } from './device.ts';
import { withInterrupt } from './interrupt.ts';
import { deviceOption, whole } from './options.ts';
import { give } from './give.ts';
import { say } from './say.ts';
import { tuningProgress } from './tuning-progress.ts';

interface TuneOptions {
  readonly device: AdapterChoice;
  readonly model: readonly ModelName[];
  readonly batch: number;
  readonly json?: boolean;
  readonly out?: string;
}

export function benchTuneCommand(): Command {
  return new Command('tune')
    .description(
      'measures the geometries of each kernel in the training steps of nets, and keeps the fastest',
    )
    .addOption(deviceOption())
    .option('--model <names>', `nets among ${MODELS.join(',')}`, modelNames, ['joint'])
    .option('--batch <n>', 'one-second samples, or pictures for densenet161, per batch', whole(1), 2)
    .option('--json', 'print JSON')
    .option('--out <file>', 'write JSON to a file')
    .action((options: TuneOptions) => withInterrupt((signal) => runTune(options, signal)));
}

/** Names of nets, separated by commas. */
export function modelNames(text: string): ModelName[] {
  return text.split(',').map((name) => {
    const found = MODELS.find((model) => model === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It must be some of ${MODELS.join(',')}.`);
  });
}

async function runTune(options: TuneOptions, signal: AbortSignal): Promise<void> {
  const { device: choice, model: models, batch, json, out } = options;
  await using device = await openDevice(choice);
  const multiprocessors = await tuneMultiprocessors(device);
  const file = tuningFile(device);
  say(`workgroups side by side: ${multiprocessors}`);
  const results: TunedModel[] = [];
  for (const model of models) {
    const progress = tuningProgress(model);
    try {
      results.push(await tuneModel(device, model, batch, { onResult: progress.onResult, signal }));
    } finally {
      progress.end();
    }
  }
  const adapter = device.description.name;
  const text = [...results.map(formatTuned), `kept in ${file}`].join('\n\n');
  await give({ adapter, multiprocessors, file, results }, text, json, out);
}

function formatTuned({ model, batch, results, known, ...step }: TunedModel): string {
  const { usualStepMilliseconds: usual, stepMilliseconds: tuned } = step;
  const saved = (one: TuneResult): number => one.count * (one.usualMilliseconds - one.milliseconds);
  const rows = results
    .toSorted((a, b) => saved(b) - saved(a))
    .map(({ kernel, shape, count, usualMilliseconds, milliseconds, best }) => [
      `${kernel}, ${shape}`,
      String(count),
      usualMilliseconds.toFixed(3),
      milliseconds.toFixed(3),
      `${(usualMilliseconds / milliseconds).toFixed(2)}x`,
      formatChoice(best),
    ]);
  const head = [`${model}, batch ${batch}`, 'count', 'usual ms', 'best ms', 'gain', 'choice'];
  const before = known > 0 ? `\n${known} problems were known` : '';
  return `${formatTable(head, rows)}${before}\nstep: ${usual.toFixed(1)} ms by the usual choices, ${tuned.toFixed(1)} ms tuned`;
}
