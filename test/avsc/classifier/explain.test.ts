import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  preset,
  SCENES,
  SceneClassifier,
  type SceneInput,
  type SceneResult,
} from '../../../src/avsc/index.ts';
import { relevanceOf } from '../../../src/avsc/classifier/explain.ts';
import { exportAllSafetensors } from '../../../src/avsc/node/runs/export.ts';
import { createModel, findStage } from '../../../src/avsc/training/model.ts';
import { inputPlan } from '../../../src/avsc/training/plan.ts';
import type { Device } from '../../../src/index.ts';
import '../../../src/node.ts';
import { testDevice } from '../../support/engine.ts';
import { uniform } from '../../support/hash.ts';
import { hashWeight } from '../../support/hash_weights.ts';
import { makeRun } from '../../support/made_run.ts';
import { temporaryFolder } from '../media-files.ts';

/** What PyTorch f64 says of the same net and inputs (tools/explain_cases.py). */
interface Case {
  readonly scene: number;
  readonly size: number;
  readonly stride: number;
  readonly cam: readonly number[];
  readonly gradient: readonly number[];
}

const PATH = new URL('../../fixtures/models/explain.json', import.meta.url);
const expected = JSON.parse(readFileSync(PATH, 'utf8')) as Case;

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

/** The largest difference beside the largest element. */
function relativeError(got: ArrayLike<number>, want: readonly number[]): number {
  expect(got.length).toBe(want.length);
  const scale = Math.max(...want.map(Math.abs));
  return Math.max(...want.map((value, i) => Math.abs(value - (got[i] ?? NaN)))) / scale;
}

describe('where a model looks', () => {
  it("is what PyTorch's Grad-CAM and gradient say", async () => {
    const { scene, size, stride, cam, gradient } = expected;
    const experiment = { ...preset('small'), imageSize: size };
    const stage = findStage(experiment, 'joint');
    const model = createModel(experiment, stage);
    for (const [name, entry] of model.net.namedTensors())
      entry.set(Float32Array.from(hashWeight(name, entry.shape)));
    model.net.to(device).eval().requiresGrad_(false);
    const frames = Uint8Array.from(
      uniform('explain/frames', 2 * 3 * size * size),
      (value) => (value + 1) * 127.99,
    );
    const data = { inputs: { frames, logmel: Float32Array.from(uniform('explain/sound', 6 * 128 * 39)) } };
    const plan = inputPlan(experiment, stage, 'evaluation');
    const found = await relevanceOf(device, model, plan, data, scene);
    expect(found.frames?.map(({ shape }) => shape)).toEqual([
      [6, 6],
      [6, 6],
    ]);
    expect(found.sound?.shape).toEqual([6, 128, 39]);
    const errors = {
      cam: relativeError(found.frames?.flatMap((frame) => [...frame.data]) ?? [], cam),
      gradient: relativeError(
        (found.sound?.data ?? new Float32Array()).filter((_, i) => i % stride === 0),
        gradient,
      ),
    };
    console.log(
      `relative errors: Grad-CAM ${errors.cam.toExponential(1)}, gradient on the sound ${errors.gradient.toExponential(1)}`,
    );
    // Some places speak for the scene, some do not.
    expect(new Set(cam.map((value) => value > 0))).toEqual(new Set([true, false]));
    expect(errors.cam).toBeLessThan(1e-4);
    expect(errors.gradient).toBeLessThan(1e-4);
    model.net.dispose();
  });

  describe('by a classifier', () => {
    const folder = temporaryFolder();
    let scene: SceneClassifier;
    beforeAll(async () => {
      const all = join(folder, 'all.safetensors');
      await exportAllSafetensors(await makeRun(folder, 'run'), all);
      scene = await SceneClassifier.load(device, all);
    });
    afterAll(() => scene.dispose());

    const audio = uniform('audio', 48_000).map((value) => value / 4);
    const picture = (name: string) => ({
      data: Uint8Array.from(uniform(name, 60 * 40 * 4), (value) => 127 * (value + 1)),
      width: 60,
      height: 40,
      channels: 4,
    });
    const both: SceneInput = { audio, sampleRate: 48_000, images: [picture('first'), picture('second')] };

    /** Equal judgements take different times. */
    const untimed = (result: SceneResult): object => ({ ...result, milliseconds: null });

    it('comes with its judgement, for the likeliest scene or another', async () => {
      const judged = await scene.classify(both);
      const held = device.counters.bytesHeld;
      const first = await scene.explain(both);
      expect(untimed(first.result)).toEqual(untimed(judged));
      expect(first.scene).toBe(judged.scene);
      expect(first.frames).toHaveLength(2);
      expect(first.frames?.every(({ data }) => data.every((value) => value >= 0))).toBe(true);
      expect(first.frames?.some(({ data }) => data.some((value) => value > 0))).toBe(true);
      expect(first.sound?.data.some((value) => value !== 0)).toBe(true);
      const other = SCENES.find((name) => name !== judged.scene) ?? 'park';
      const second = await scene.explain(both, { scene: other });
      expect(second.scene).toBe(other);
      expect(untimed(second.result)).toEqual(untimed(judged));
      expect(second.sound?.data).not.toEqual(first.sound?.data);
      const again = await scene.explain(both);
      expect({ ...again, result: untimed(again.result) }).toEqual({
        ...first,
        result: untimed(first.result),
      });
      for (let i = 0; i < 10; i++) await scene.explain(both);
      await device.sync();
      console.log(`13 explanations hold ${device.counters.bytesHeld - held} bytes more`);
      expect(device.counters.bytesHeld - held).toBeLessThan(2 ** 24);
      expect(untimed(await scene.classify(both))).toEqual(untimed(judged));
    });

    it('is of what was given, or refused', async () => {
      const heard = await scene.explain({ audio, sampleRate: 48_000 });
      expect([heard.frames, heard.sound?.shape]).toEqual([null, [6, 128, 39]]);
      const seen = await scene.explain({ images: [picture('first'), picture('second')] });
      expect([seen.frames?.length, seen.sound]).toEqual([2, null]);
      await expect(scene.explain(both, { scene: 'moon' })).rejects.toThrow('explain: scene must be');
      await expect(scene.explain({})).rejects.toThrow('explain needs audio, images or both');
    });
  });
});
