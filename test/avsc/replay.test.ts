import { afterAll, beforeAll, expect, test } from 'vitest';
import { DenseNetExtractor } from '../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../src/avsc/models/fcnn.ts';
import { JointNet } from '../../src/avsc/models/joint.ts';
import { crossEntropy, manualSeed, type Device } from '../../src/index.ts';
import { Adam } from '../../src/nn/optim/index.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';
import { FULL } from '../support/scale.ts';

let device: Device;
beforeAll(async () => {
  device = await testDevice({ fusion: true });
});
afterAll(() => device.destroy());

const BATCH = 2;

function jointStep() {
  manualSeed(3);
  const net = new JointNet(
    new Fcnn({ features: 16, widths: [4, 8, 8], dropout: 0.3 }),
    new DenseNetExtractor({ growthRate: 4, blocks: [2, 2], stem: 8 }),
    10,
  );
  net.to(device).train();
  const adam = new Adam(net.parameters(), { lr: 1e-3, weightDecay: 1e-5 });
  const step = device.compile((audio, frames, labels) => {
    adam.zeroGrad();
    const loss = crossEntropy(net.forward(audio, frames), labels);
    loss.backward();
    adam.step();
    return loss;
  });
  return { step, net };
}

const batch = (i: number) => [
  {
    data: hashValues(`replay/audio${i}`, BATCH * 6 * 64 * 16, 'uniform') as Float32Array,
    shape: [BATCH, 6, 64, 16],
  },
  {
    data: hashValues(`replay/frames${i}`, BATCH * 6 * 32 * 32, 'uniform') as Float32Array,
    shape: [BATCH, 2, 3, 32, 32],
  },
  { data: Int32Array.from({ length: BATCH }, (_, k) => (i + k) % 10), shape: [BATCH] },
];

const STEPS = FULL ? 200 : 50;

test(`a joint training creates nothing after its second step, over ${STEPS} steps`, async () => {
  const { step, net } = jointStep();
  const batches = [batch(0), batch(1), batch(2)];
  const losses: number[] = [];
  for (const i of [0, 1]) losses.push(await (await step(...(batches[i] ?? []))).item());
  const before = device.counters;
  for (let i = 2; i < 2 + STEPS; i++) losses.push(await (await step(...(batches[i % 3] ?? []))).item());
  const after = device.counters;
  expect(after.buffersCreated - before.buffersCreated).toBe(0);
  expect(after.bindGroupsCreated - before.bindGroupsCreated).toBe(0);
  expect(after.pipelinesCreated - before.pipelinesCreated).toBe(0);
  expect(after.shaderModulesCreated - before.shaderModulesCreated).toBe(0);
  expect(after.bytesHeld).toBe(before.bytesHeld);
  // One submit for the step, one to read its loss.
  expect(after.submits - before.submits).toBe(2 * STEPS);
  const { dispatches, arenaBytes } = step.statistics();
  expect(after.dispatches - before.dispatches).toBe(STEPS * dispatches);
  console.log(
    `joint step: ${dispatches} dispatches, ${arenaBytes} transient bytes, loss ${losses[0]?.toFixed(3)} to ${losses.at(-1)?.toFixed(3)}`,
  );
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  step.dispose();
  net.dispose();
});

test('the same seed gives the same bits', async () => {
  const run = async (): Promise<number[]> => {
    const { step, net } = jointStep();
    const losses: number[] = [];
    for (let i = 0; i < 8; i++) losses.push(await (await step(...batch(i % 3))).item());
    step.dispose();
    net.dispose();
    return losses;
  };
  expect(await run()).toEqual(await run());
});
