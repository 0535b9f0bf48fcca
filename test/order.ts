import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of ten seconds of CPU and more, longest first. */
const LONG: readonly string[] = [
  // Collects the memory of its process all the time, which takes long where that is large.
  'cli/fetch-weights.test.ts',
  'browser-weights.test.ts',
  'browser-web.test.ts',
  'cli/train-weights.test.ts',
  'cli/train.test.ts',
  'avsc/models.test.ts',
  'avsc/node/training/lost.test.ts',
  'cli/output.test.ts',
  'cli/stop.test.ts',
  'cli/kill.test.ts',
  'cli/damage.test.ts',
  'kernels/conv.test.ts',
  'kernels/fused_conv.test.ts',
  'browser-teach.test.ts',
  'browser-playground.test.ts',
  'tensor/ops.test.ts',
  'avsc/node/data/store.test.ts',
  'avsc/node/data/hostile-media.test.ts',
  'avsc/node/data/derive.test.ts',
  'cli/bench-peers.test.ts',
  'avsc/models-table1.test.ts',
  'avsc/replay.test.ts',
  'package.test.ts',
  'kernels/pictures.test.ts',
  'browser.test.ts',
  'browser-guide.test.ts',
  'avsc/classifier/teach.test.ts',
  'avsc/node/data/extras.test.ts',
  'avsc/node/data/pool.test.ts',
  'cli/import.test.ts',
  'avsc/zoo.test.ts',
  'tensor/fusion.test.ts',
  'kernels/gemm.test.ts',
  'avsc/node/data/loader.test.ts',
  'avsc/weights-published.test.ts',
  'avsc/node/report/pages.test.ts',
  'cli/usage.test.ts',
  'cli/messages.test.ts',
  'avsc/node/data/media-colors.test.ts',
  'avsc/node/data/media-timeline.test.ts',
  'tensor/split.test.ts',
  'tensor/lost.test.ts',
  'browser-examples.test.ts',
  'nn/sequences.test.ts',
  'avsc/classifier/classifier.test.ts',
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
