import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DENSENET161, DenseNet } from '../../src/avsc/models/densenet.ts';
import { PROFILES, TRAITS } from '../../src/gpu/profile.ts';
import {
  crossEntropy,
  manualSeed,
  PlanningDevice,
  type Device,
  type InputSpec,
  type Tensor,
} from '../../src/index.ts';
import { Adam } from '../../src/nn/optim/index.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';

/** Of torchvision's DenseNet161 on pictures of 224 x 224: python3 tools/saved_activations.py densenet161 2. */
const PYTORCH_SAVES_PER_IMAGE = 486_425_572 / 2;

const DENSE_LAYERS = 6 + 12 + 36 + 24;

interface Training {
  readonly step: (images: Tensor, labels: Tensor) => Tensor;
  readonly dispose: () => void;
}

function training(device: Device | PlanningDevice, blocks: readonly number[] = DENSENET161.blocks): Training {
  manualSeed(1);
  const net = new DenseNet({ ...DENSENET161, blocks }, 10);
  net.to(device).train();
  const adam = new Adam(net.parameters(), { lr: 1e-4, weightDecay: 1e-5 });
  return {
    step: (images, labels) => {
      adam.zeroGrad();
      const loss = crossEntropy(net.forward(images), labels);
      loss.backward();
      adam.step();
      return loss;
    },
    dispose: () => {
      net.dispose();
    },
  };
}

const feeds = (images: Float32Array, side: number) => {
  const batch = images.length / (3 * side * side);
  return [
    { data: images, shape: [batch, 3, side, side] },
    { data: Int32Array.from({ length: batch }, (_, i) => i % 10), shape: [batch] },
  ];
};

const specs = (batch: number): InputSpec[] => [
  { shape: [batch, 3, 224, 224], dtype: 'f32' },
  { shape: [batch], dtype: 'i32' },
];

const MiB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

describe.each(['cpu', 'gpu'] as const)('a training step of DenseNet161 (%s kernels)', (kind) => {
  // For a device that binds 2 GiB, as GPUs do. No adapter is opened.
  const device = new PlanningDevice({ name: kind, geometry: { ...PROFILES.h100, ...TRAITS[kind] } });

  it('takes few dispatches, moves a third of the bytes and holds a fraction of the activations', () => {
    const { step } = training(device);
    for (const batch of [8, 32, 64]) {
      const plan = device.plan(step, specs(batch));
      const theirs = batch * PYTORCH_SAVES_PER_IMAGE;
      console.log(
        `DenseNet161, batch ${batch} (${kind}): ${plan.dispatches} dispatches of ${plan.pipelines} kernels, ${(plan.flops / 1e9).toFixed(0)} GFLOP, ` +
          `${MiB(plan.bytesMoved)} moved, at least ${MiB(plan.bytesAtLeast)}; ` +
          `${MiB(plan.arenaBytes)} planned, ${MiB(plan.peakLiveBytes)} alive at once, PyTorch saves ${MiB(theirs)}`,
      );
      expect(plan.dispatches).toBeLessThanOrEqual(1300);
      // Hundreds of them would take minutes to compile: layers share theirs.
      expect(plan.pipelines).toBeLessThanOrEqual(128);
      expect(plan.arenaBytes).toBeLessThan(theirs / 2);
      expect(plan.arenaBytes).toBeLessThan(1.3 * plan.peakLiveBytes);
      expect(plan.dispatches).toBeLessThanOrEqual(14 * DENSE_LAYERS);
      if (batch < 64) continue;
      const shorter = training(device, [6, 12, 36, 23]);
      const layer = plan.dispatches - device.plan(shorter.step, specs(batch)).dispatches;
      expect(layer).toBeLessThanOrEqual(14);
      // With few pictures, Adam's pass over 26.5 M parameters is a tenth of all bytes.
      const unfused = device.plan(step, specs(batch), { fusion: false });
      console.log(
        `${layer} dispatches for a layer; each op by itself: ${unfused.dispatches} in all, ` +
          `${(unfused.flops / 1e9).toFixed(0)} GFLOP, ${MiB(unfused.bytesMoved)} moved`,
      );
      expect(plan.flops).toBeLessThan(unfused.flops);
      // Software adapters write gradients out, which costs bytes and saves time.
      expect(unfused.bytesMoved / plan.bytesMoved).toBeGreaterThan(kind === 'gpu' ? 3 : 2.5);
    }
  });
});

describe('a training step of DenseNet161 on an H100', () => {
  const device = new PlanningDevice({ name: 'h100', geometry: PROFILES.h100 });
  const { step } = training(device);

  it('may have 256 pictures, whose largest activation takes more than 1 GiB', () => {
    const { arenaBytes, persistentBytes } = device.plan(step, specs(256));
    console.log(`DenseNet161, batch 256: ${MiB(arenaBytes)} planned beside ${MiB(persistentBytes)}`);
    expect(arenaBytes + persistentBytes).toBeLessThan(80e9);
  });

  it('names the first tensor that no binding can hold', () => {
    expect(() => device.plan(step, specs(512))).toThrow(
      'conv2d [512, 96, 112, 112] needs 2.3 GiB in one buffer; this device binds at most 2.0 GiB (h100): use a smaller batch',
    );
  });
});

describe('a DenseNet at work', () => {
  let device: Device;
  beforeAll(async () => {
    device = await testDevice({ fusion: true });
  });
  afterAll(() => device.destroy());

  it('creates nothing after its second step and submits twice', async () => {
    const { step: fn, dispose } = training(device, [2, 2, 2, 2]);
    const step = device.compile(fn);
    const inputs = feeds(hashValues('densenet plan', 2 * 3 * 32 * 32, 'uniform') as Float32Array, 32);
    for (let i = 0; i < 2; i++) await (await step(...inputs)).item();
    const before = device.counters;
    expect(await (await step(...inputs)).item()).toBeGreaterThan(0);
    const after = device.counters;
    for (const count of [
      'buffersCreated',
      'bindGroupsCreated',
      'pipelinesCreated',
      'shaderModulesCreated',
    ] as const)
      expect(after[count] - before[count], count).toBe(0);
    expect(after.bytesHeld).toBe(before.bytesHeld);
    // One for the step, one to read its loss.
    expect(after.submits - before.submits).toBe(2);
    step.dispose();
    dispose();
  });
});
