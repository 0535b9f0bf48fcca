// The output of `train`: progress on stderr, results on stdout.

import { runFiles } from '../avsc/node/runs/folder.ts';
import type { StartEvents } from '../avsc/node/training/start.ts';
import type { RunResults } from '../avsc/training/records.ts';
import { formatReport } from '../avsc/weights/import.ts';
import { print } from './output.ts';
import { sayEstimate, showProgress, type Progress } from './progress.ts';
import { say } from './say.ts';

interface TrainingDisplay {
  readonly events: StartEvents;
  /** Folder of the run, once it exists. */
  readonly run: string | undefined;
  /** Ends the current bar, which a failure may have left. */
  end(): void;
}

/** Shows each stage as one bar, or as a line per epoch where there is no terminal. */
export function showTraining(): TrainingDisplay {
  let run: string | undefined;
  let progress: Progress | undefined;
  const end = (): void => {
    progress?.end();
    progress = undefined;
  };
  const count = (title: string, unit: string, done: number, total: number): void => {
    progress ??= showProgress(title, total, unit);
    progress.update(done);
    if (done >= total) end();
  };
  const events: StartEvents = {
    onWeights: (report) => say(formatReport(report)),
    onMissing: say,
    onWarning: say,
    onExtras: (done, total) => count('augmenting sound', 'clips', done, total),
    onShared: (stage) => say(`${stage}: another run has trained this stage`),
    onMaking: (done, total) => count('making the data set', 'clips', done, total),
    onDemo: (path, made) => say(`${made ? 'made' : 'found'} the demonstration data set in ${path}`),
    onEstimate: sayEstimate,
    onDecoding: (done, total) => count('preparing', 'clips', done, total),
    onRun: (path, resumed) => {
      run = path;
      say(`${resumed ? 'resuming' : 'run folder'}: ${path}`);
    },
    onEmbedding: (part, done, total) => count(`embedding ${part}`, 'samples', done, total),
    onStage: (stage, { steps, parameters, trained }) => {
      const part = trained < parameters ? `, ${trained.toLocaleString('en')} of them trained` : '';
      say(`${stage}: ${parameters.toLocaleString('en')} parameters${part}, ${steps} steps`);
      progress = showProgress(stage, steps, 'steps');
    },
    onStep: (done, loss) => progress?.update(done, `loss ${loss.toFixed(4)}`),
    onEpoch: ({ stage, epoch, loss, validation }) => {
      const accuracy = validation ? `, validation accuracy ${(100 * validation.accuracy).toFixed(1)} %` : '';
      progress?.line(`${stage} epoch ${epoch}: mean loss ${loss.toFixed(4)}${accuracy}`);
    },
    onStageEnd: end,
    onNoHalves: (device) => say(`${device} has no shader-f16: precision f16 is taken as f32`),
    onDeviceLost: (reason, times) => {
      end();
      say(
        `the device was lost (${reason}): opened again, from the last checkpoint on (${times} of at most 5 in a row)`,
      );
    },
    onEvaluation: (stage) => say(`evaluating ${stage}`),
  };
  return {
    events,
    get run() {
      return run;
    },
    end,
  };
}

/** Prints a line for each model and the path of the report. */
export async function printResults(results: RunResults, path: string): Promise<void> {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`.padStart(8);
  const width = Math.max(6, ...Object.keys(results).map(({ length }) => length));
  const lines = [`${'model'.padEnd(width)}  accuracy (mean of classes)  accuracy (overall)  log loss`];
  for (const [stage, { accuracy, logLoss }] of Object.entries(results)) {
    const cells = [
      percent(accuracy.macro).padStart(26),
      percent(accuracy.overall).padStart(18),
      logLoss.toFixed(4).padStart(8),
    ];
    lines.push([stage.padEnd(width), ...cells].join('  '));
  }
  await print([...lines, `report: ${runFiles(path).report}`].join('\n'));
}
