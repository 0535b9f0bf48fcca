import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of more than ten seconds, longest first. */
const LONG: readonly string[] = [
  'avsc/models.test.ts',
  'cli/train-weights.test.ts',
  'cli/train.test.ts',
  'kernels/conv.test.ts',
  'avsc/replay.test.ts',
  'cli/bench-peers.test.ts',
  'avsc/zoo.test.ts',
  'avsc/weights-published.test.ts',
  'cli/import.test.ts',
  'avsc/densenet-plan.test.ts',
];

/** Starts long files first, so that two workers end together; the others by path. */
export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((path) => moduleId.endsWith(`/test/${path}`));
      return index < 0 ? LONG.length : index;
    };
    const byPath = (a: TestSpecification, b: TestSpecification): number => (a.moduleId < b.moduleId ? -1 : 1);
    return Promise.resolve(files.toSorted((a, b) => rank(a) - rank(b) || byPath(a, b)));
  }
}
