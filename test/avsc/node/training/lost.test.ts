import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../../../src/avsc/dataset/random.ts';
import type { Experiment } from '../../../../src/avsc/experiment/experiment.ts';
import { preset } from '../../../../src/avsc/experiment/presets.ts';
import { makeDataset } from '../../../../src/avsc/node/data/synth.ts';
import { startTraining } from '../../../../src/avsc/node/training/start.ts';
import { NOTHING_TUNED } from '../../../../src/gpu/tuned.ts';
import { NodeDevice } from '../../../../src/node/device.ts';
import { testAdapter, testProfile } from '../../../support/device.ts';
import { FULL, FULL_ONLY } from '../../../support/scale.ts';

const LOSSES = FULL ? 20 : 2;
/** All three models, or sound alone. */
const STAGES = FULL ? 3 : 1;
/** The longest that a device lives, in submits of an undisturbed run divided by the losses. */
const LONGEST = FULL ? 1.8 : 1.2;

const small = preset('small');
const EXPERIMENT: Experiment = {
  ...small,
  batchSize: 4,
  stages: small.stages.slice(0, STAGES).map((stage) => ({ ...stage, epochs: FULL ? 3 : 2 })),
  ...(!FULL && { result: 'audio' }),
};
const FILES = ['metrics.jsonl', 'metrics.json', 'model.safetensors'];
if (FULL) FILES.push('audio.safetensors', 'video.safetensors');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wavelight-lost-'));
  await makeDataset(join(folder, 'data'), { train: 2, evaluate: 1, seconds: 1 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Lossy {
  readonly name: string;
  /** Number of the submit at which the device is destroyed, each time that one is opened; undefined for never. */
  readonly losesAt: () => number | undefined;
  readonly onLost?: (times: number) => void;
}

/** What was measured of the adapter when a run begins, and what when a device is opened again: other splits of sums. */
const TUNED = { first: { ...NOTHING_TUNED, multiprocessors: 97 }, later: NOTHING_TUNED };

/** Trains on devices that are destroyed; gives how many were lost, and how many submits were made. */
async function train({ name, losesAt, onLost }: Lossy): Promise<{ losses: number; submits: number }> {
  let losses = 0;
  let submits = 0;
  let opened = 0;
  const openDevice = async (): Promise<NodeDevice> => {
    const device = await NodeDevice.create({ adapter: testAdapter, profile: testProfile });
    device.gpu.tuned = opened++ === 0 ? TUNED.first : TUNED.later;
    const { queue } = device.gpu.device;
    const submit = queue.submit.bind(queue);
    let left = losesAt() ?? Infinity;
    queue.submit = (buffers) => {
      submits++;
      submit(buffers);
      if (--left === 0) device.gpu.device.destroy();
    };
    return device;
  };
  await startTraining(
    {
      experiment: EXPERIMENT,
      data: join(folder, 'data'),
      out: join(folder, name),
      weights: { folder: 'weights', missing: 'refuse' },
    },
    {
      cache: join(folder, 'cache'),
      openDevice,
      saveEvery: 1,
      signal: new AbortController().signal,
      events: {
        onDeviceLost: (_, times) => {
          losses++;
          onLost?.(times);
        },
      },
    },
  );
  return { losses, submits };
}

describe('a training whose device is lost', () => {
  it(`${LOSSES} times at random moments ends in the same bits as an undisturbed one, whatever was tuned meanwhile`, async () => {
    const { submits } = await train({ name: 'whole', losesAt: () => undefined });
    const random = randomStream(1, 'losses');
    const at: number[] = [];
    const { losses } = await train({
      name: 'lost',
      losesAt: () => {
        if (at.length >= LOSSES) return undefined;
        at.push(1 + Math.floor((random() * LONGEST * submits) / LOSSES));
        return at.at(-1);
      },
    });
    console.log(`${submits} submits undisturbed; ${losses} losses, at submits ${at.join(', ')}`);
    expect(losses).toBe(LOSSES);
    for (const file of FILES) {
      const [whole, lost] = await Promise.all(
        ['whole', 'lost'].map((name) => readFile(join(folder, name, file))),
      );
      expect(whole && lost && Buffer.compare(whole, lost), file).toBe(0);
    }
  }, 600_000);

  it.skipIf(!FULL)(
    `gives up after 5 times in a row without progress, and says so${FULL_ONLY}`,
    async () => {
      const times: number[] = [];
      const training = train({ name: 'hopeless', losesAt: () => 1, onLost: (count) => times.push(count) });
      await expect(training).rejects.toThrow(
        /^the device was lost 6 times in a row without progress: the device was lost \(destroyed\)/,
      );
      expect(times).toEqual([1, 2, 3, 4, 5]);
    },
    120_000,
  );
});
