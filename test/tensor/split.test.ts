import { describe, expect, it } from 'vitest';
import { budgetsOf, PROFILES } from '../../src/gpu/profile.ts';
import { preset, PRESET_NAMES } from '../../src/avsc/experiment/presets.ts';
import { inputPlan } from '../../src/avsc/training/plan.ts';
import { makeRecipe } from '../../src/avsc/experiment/recipe.ts';
import { CEILINGS, planStage } from '../../src/avsc/training/dry-run.ts';
import {
  avgPool2d,
  crossEntropy,
  manualSeed,
  matmul,
  nn,
  optim,
  softmax,
  type Device,
  type Tensor,
} from '../../src/index.ts';
import { PlanningDevice } from '../../src/tensor/planning_device.ts';
import { normal } from '../support/hash.ts';
import { testDevice } from '../support/engine.ts';

/** Two training steps of a net that has a bit of everything; gives its state, losses and counts. */
async function train(device: Device) {
  manualSeed(5);
  const net = new nn.Sequential([
    new nn.Conv2d(3, 20, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(20),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(20, 12, 3, { stride: 2 }),
    new nn.Dropout(0.25),
    new nn.Flatten(),
    new nn.Linear(12 * 49, 10),
  ]).to(device);
  const adam = new optim.Adam(net.parameters(), { lr: 0.01 });
  const step = device.compile((x: Tensor, y: Tensor) => {
    adam.zeroGrad();
    const logits = net.forward(x);
    const loss = crossEntropy(logits, y);
    loss.backward();
    adam.step();
    const pooled = avgPool2d(x.permute([0, 1, 3, 2]), 2).sum({ dim: 1 });
    return { loss, more: matmul(softmax(logits, 1), logits.transpose(0, 1)), pooled };
  });
  const results: number[][] = [];
  for (let i = 0; i < 2; i++) {
    const { loss, more, pooled } = await step(
      { data: normal(`x ${i}`, 9 * 3 * 32 * 32), shape: [9, 3, 32, 32] },
      { data: Int32Array.from({ length: 9 }, (_, k) => (k * 7 + i) % 10), shape: [9] },
    );
    for (const tensor of [loss, more, pooled]) results.push([...(await tensor.data())]);
  }
  for (const [, { data }] of await net.stateDict()) results.push([...data]);
  const { dispatches } = step.statistics();
  const before = device.counters.submits;
  await step(
    { data: normal('x', 9 * 3 * 32 * 32), shape: [9, 3, 32, 32] },
    { data: new Int32Array(9), shape: [9] },
  );
  const submits = device.counters.submits - before;
  await device.destroy();
  return { results, dispatches, submits };
}

describe('dispatches of more work than the budget', () => {
  it.each(['gpu', 'cpu'] as const)('are split and compute the same bits (%s)', async (kind) => {
    const whole = await train(await testDevice({ kind }));
    const split = await train(await testDevice({ kind, budget: { flops: 2e6, bytes: 2e5 } }));
    console.log(
      `${kind}: ${whole.dispatches} dispatches in ${whole.submits} submit, split ${split.dispatches} in ${split.submits}`,
    );
    expect(split.dispatches).toBeGreaterThan(1.5 * whole.dispatches);
    expect(whole.submits).toBe(1);
    expect(split.submits).toBeGreaterThan(3);
    expect(split.results).toEqual(whole.results);
  });

  it('are split where a product is huge', () => {
    const device = new PlanningDevice({ name: 'h100', geometry: PROFILES.h100 });
    const shapes = [{ shape: [16384, 16384], dtype: 'f32' as const }];
    device.plan((x) => matmul(x, x), shapes, {
      onPlan: ({ dispatches }) => {
        const seconds = dispatches.map((dispatch) => budgetsOf(dispatch, { flops: 1e12, bytes: 5e10 }));
        console.log(
          `16384^3 at 1 TFLOP/s: ${dispatches.length} dispatches, the longest takes ${Math.max(...seconds).toFixed(2)} s`,
        );
        expect(dispatches.length).toBeGreaterThan(30);
        expect(Math.max(...seconds)).toBeLessThan(0.27);
      },
    });
  });
});

describe('the presets on an adapter of 1 TFLOP/s and 50 GB/s', () => {
  it.each(PRESET_NAMES)('have no dispatch of half a second (%s)', (name) => {
    const experiment = preset(name);
    for (const stage of experiment.stages) {
      const inputs = inputPlan(makeRecipe(experiment, {}, 100), stage, 'training');
      const { plan } = planStage(experiment, stage, {
        target: { name: 'h100', geometry: PROFILES.h100 },
        ceilings: CEILINGS['phone'],
        inputs,
        steps: 1,
        partnerRows: experiment.batchSize,
      });
      console.log(
        `${name} ${stage.id}, batch ${experiment.batchSize}: the longest dispatch takes ${(1000 * plan.longest).toFixed(0)} ms`,
      );
      expect(plan.longest).toBeLessThan(0.5);
    }
  });
});
