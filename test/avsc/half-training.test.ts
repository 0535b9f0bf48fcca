import { expect, test } from 'vitest';
import { DenseNetExtractor } from '../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { crossEntropy, type Device } from '../../src/index.ts';
import { Adam } from '../../src/nn/optim/adam.ts';
import type { Precision } from '../../src/tensor/graph/recording.ts';
import { testDevice } from '../support/engine.ts';
import { hashIndices, hashValues } from '../support/hash.ts';
import { loadHashWeights, patterned } from '../support/nets.ts';
import { FULL, FULL_ONLY } from '../support/scale.ts';

/* A joint net trained for 500 steps in f32 and in f16. Where it ends depends on the last bits: three runs of each are compared. */
const STEPS = 500;
const BATCHES = 16;
const BATCH = 8;
const CLASSES = 10;
/** Steps whose mean loss is the end of a run: three rounds over the batches. */
const END = 48;
/** Relative changes of the inputs, by which runs differ. */
const NUDGES = [0, 1e-5, -1e-5];

const soft = (name: string): Float32Array => {
  const labels = new Float32Array(BATCH * CLASSES);
  const [one, two] = ['one', 'two'].map((which) => hashIndices(`${name}/${which}`, BATCH, CLASSES));
  hashValues(`${name}/ratio`, BATCH, 'unit').forEach((ratio, i) => {
    const [first, second] = [i * CLASSES + (one?.[i] ?? 0), i * CLASSES + (two?.[i] ?? 0)];
    labels[first] = (labels[first] ?? 0) + ratio;
    labels[second] = (labels[second] ?? 0) + 1 - ratio;
  });
  return labels;
};

/** Mean loss at the end. With an overflow the scale is set so high in the middle that gradients are infinite. */
async function train(
  device: Device,
  precision: Precision,
  nudge: number,
  overflow: boolean,
): Promise<number> {
  const net = loadHashWeights(
    device,
    new JointNet(
      new Fcnn({ features: 64, widths: [16, 32, 64], dropout: 0 }),
      new DenseNetExtractor({ growthRate: 12, blocks: [2, 2], stem: 16 }),
      CLASSES,
    ),
  );
  net.train();
  const adam = new Adam(net.parameters(), { lr: 1e-3 });
  const step = device.compile(
    (audio, frames, labels) => {
      adam.zeroGrad();
      const loss = crossEntropy(net.forward(audio, frames), labels);
      loss.backward();
      adam.step();
      return loss;
    },
    { precision },
  );
  device.lossScale?.load();
  let end = 0;
  for (let i = 0; i < STEPS; i++) {
    const name = `half/batch${i % BATCHES}`;
    if (overflow && i === STEPS / 2) device.lossScale?.load({ scale: 2 ** 24, goodSteps: 0, skipped: 0 });
    const picture = (part: string, shape: readonly number[]) => ({
      data: patterned(`${name}/${part}`, shape).map((value) => value * (1 + nudge)),
      shape,
    });
    const loss = await step(picture('audio', [BATCH, 6, 64, 20]), picture('frames', [BATCH, 2, 3, 32, 32]), {
      data: soft(name),
      shape: [BATCH, CLASSES],
    });
    if (i >= STEPS - END) end += (await loss.item()) / END;
  }
  if (overflow) expect((await device.lossScale?.state())?.skipped).toBeGreaterThan(0);
  step.dispose();
  adam.dispose();
  net.dispose();
  return end;
}

test.skipIf(!FULL)(
  `500 steps in f16 end where those in f32 do${FULL_ONLY}`,
  { timeout: 3_600_000 },
  async ({ skip }) => {
    const device = await testDevice({ fusion: true });
    try {
      skip(!device.gpu.geometry.f16, 'this adapter has no shader-f16');
      const ends = async (precision: Precision): Promise<number> => {
        const losses: number[] = [];
        for (const nudge of NUDGES)
          losses.push(await train(device, precision, nudge, precision === 'f16' && nudge === 0));
        console.log(`${precision}: losses of ${losses.map((loss) => loss.toFixed(4)).join(', ')}`);
        return losses.reduce((sum, loss) => sum + loss / losses.length, 0);
      };
      const [full, half] = [await ends('f32'), await ends('f16')];
      expect(Math.abs(half / full - 1)).toBeLessThan(0.02);
    } finally {
      await device.destroy();
    }
  },
);
