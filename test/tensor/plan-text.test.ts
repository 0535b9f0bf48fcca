import { describe, expect, it } from 'vitest';
import { DenseNet } from '../../src/avsc/models/densenet.ts';
import { preset } from '../../src/avsc/experiment/presets.ts';
import { createModel, findStage } from '../../src/avsc/training/model.ts';
import { crossEntropy, manualSeed, optim, PlanningDevice, PROFILES, type Tensor } from '../../src/index.ts';
import type { Module } from '../../src/nn/module.ts';
import { formatPlan } from '../../src/tensor/plan/format.ts';

/*
 * Plans of training steps as text, made with no adapter: a change of fusion, lowering or placement shows in their diff. Write them
 * anew with `npx vitest run test/tensor/plan-text.test.ts -u`.
 */

type Net = Module & { forward(x: Tensor): Tensor };

/** The small preset's net for sound, and a net of two dense blocks of two layers. */
const NETS: Readonly<Record<string, { readonly net: () => Net; readonly shape: readonly number[] }>> = {
  'small-audio': {
    net: () => createModel(preset('small'), findStage(preset('small'), 'audio')).net as Net,
    shape: [16, 6, 128, 39],
  },
  'dense-blocks': {
    net: () => new DenseNet({ stem: 16, growthRate: 8, blocks: [2, 2] }, 10),
    shape: [4, 3, 64, 64],
  },
};

const ADAPTERS = ['h100', 'lavapipe'] as const;

function planOf(adapter: (typeof ADAPTERS)[number], name: keyof typeof NETS, fusion: boolean): string {
  const chosen = NETS[name];
  if (chosen === undefined) throw new Error(`no net ${name}`);
  const device = new PlanningDevice({ name: adapter, geometry: PROFILES[adapter] });
  manualSeed(1);
  const net = chosen.net().to(device).train();
  const adam = new optim.Adam(net.parameters());
  let text = '';
  device.plan(
    (x: Tensor, labels: Tensor) => {
      adam.zeroGrad();
      const loss = crossEntropy(net.forward(x), labels);
      loss.backward();
      adam.step();
      return loss;
    },
    [
      { shape: chosen.shape, dtype: 'f32' },
      { shape: chosen.shape.slice(0, 1), dtype: 'i32' },
    ],
    { fusion, onPlan: (plan) => (text = formatPlan(plan)) },
  );
  return `${text}\n`;
}

describe('plans of training steps', () => {
  it.each(ADAPTERS.flatMap((adapter) => Object.keys(NETS).map((name) => [name, adapter] as const)))(
    '%s for %s',
    async (name, adapter) => {
      await expect(planOf(adapter, name, true)).toMatchFileSnapshot(`plans/${name}.${adapter}.txt`);
    },
  );

  it('are the same each time', () => {
    expect(planOf('h100', 'dense-blocks', true)).toBe(planOf('h100', 'dense-blocks', true));
    expect(planOf('h100', 'dense-blocks', false)).not.toBe(planOf('h100', 'dense-blocks', true));
  });
});

describe('a device that only plans', () => {
  it('has no elements, and says so', async () => {
    const device = new PlanningDevice({ name: 'phone', geometry: PROFILES.phone });
    const net = new DenseNet({ stem: 16, growthRate: 8, blocks: [2, 2] }, 10).to(device);
    await expect(net.parameters()[0]?.data()).rejects.toThrow('a device that only plans (phone)');
  });

  it('refuses what is too large for it, and names it', () => {
    const device = new PlanningDevice({ name: 'phone', geometry: PROFILES.phone });
    expect(() => device.plan((x: Tensor) => x.matmul(x), [{ shape: [8192, 8192], dtype: 'f32' }])).toThrow(
      'input [8192, 8192] needs 256.0 MiB in one buffer; this device binds at most 128.0 MiB (phone)',
    );
  });
});
