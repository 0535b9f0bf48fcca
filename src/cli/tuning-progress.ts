import { formatChoice } from '../tensor/tune/format.ts';
import type { TuneResult } from '../tensor/tune/tune.ts';
import { showProgress, type Progress } from './progress.ts';

/** Shows how far the tuning of a net is, and choices that were refused. */
export function tuningProgress(name: string): {
  readonly onResult: (result: TuneResult, done: number, total: number) => void;
  readonly end: () => void;
} {
  let progress: Progress | undefined;
  return {
    onResult: ({ kernel, shape, refused }, done, total) => {
      progress ??= showProgress(`tuning ${name}`, total, 'problems');
      for (const { choice, why } of refused)
        progress.line(`refused ${formatChoice(choice)} for ${kernel}, ${shape}: ${why}`);
      progress.update(done);
    },
    end: () => progress?.end(),
  };
}
