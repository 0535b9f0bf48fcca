import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BaselineFusion, BaselineHead } from '../../src/avsc/models/heads/baseline.ts';
import { adaptBaselineFusion, adaptBaselineHead } from '../../src/avsc/weights/baseline.ts';
import { readStateDict } from '../../src/avsc/weights/import.ts';
import { noGrad, type Device } from '../../src/index.ts';
import { openCheckpoint } from '../../src/nn/checkpoint/open.ts';
import { bytesSource } from '../../src/nn/checkpoint/source.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import { openFile } from '../support/checkpoint.ts';
import { testDevice } from '../support/engine.ts';
import { hashValues } from '../support/hash.ts';
import { digests, hashWeights } from '../support/nets.ts';
import { readExpected, readJson, relativeError } from '../support/oracle.ts';
import { joined, writeTorchLegacy } from '../support/torch_writer.ts';

let device: Device;
beforeAll(async () => (device = await testDevice()));
afterAll(() => device.destroy());

const PUBLISHED = '../shared/checkpoints/dcase2021-baseline-audio-video.pt';
const here = existsSync(PUBLISHED);

test.skipIf(!here)(
  `the published early fusion gives PyTorch's outputs${here ? '' : ` (skipped: there is no ${PUBLISHED})`}`,
  async () => {
    const { input, f32 } = readJson('models/baseline.json') as {
      readonly input: readonly [number, number];
      readonly f32: readonly [Readonly<Record<string, number>>];
    };
    const expected = readExpected('models/baseline.safetensors');
    const head = new BaselineHead(input[1], 10);
    head.loadStateDict(await readStateDict(adaptBaselineHead(await openFile(PUBLISHED))));
    head.to(device).eval();
    const x = device.tensor(hashValues('baseline/x', input[0] * input[1], 'normal'), input);
    const outputs = {
      embedding: await noGrad(() => head.embed(x)).data(),
      logits: await noGrad(() => head.forward(x)).data(),
    };
    head.dispose();
    for (const [name, values] of Object.entries(outputs)) {
      const reference = expected.get(name);
      if (reference === undefined) throw new Error(`the fixtures lack ${name}`);
      const error = relativeError(values, reference);
      console.log(
        `baseline: relative error of the ${name} ${error.toExponential(1)} (PyTorch f32: ${f32[0][name]})`,
      );
      expect(error).toBeLessThan(1e-5);
    }
  },
);

describe('checkpoints of the submitted system', () => {
  /** A state dict as the repository's programs save it, its layers numbered within `model`. */
  const saved = async (state: ReadonlyMap<string, HostTensor>, numbers: Readonly<Record<string, number>>) => {
    const entries = [...state].flatMap(([name, { shape, data }]) => {
      const [layer = '', part = ''] = name.split('.');
      const at = numbers[layer];
      return at === undefined ? [] : [{ name: `model.${at}.${part}`, shape, data: Float32Array.from(data) }];
    });
    return openCheckpoint(bytesSource(joined(writeTorchLegacy(entries))));
  };
  const HEAD = { fc1: 0, norm1: 1, fc2: 4, norm2: 5, fc3: 8, norm3: 9, fc4: 12 };

  test('are put together: two heads up to their embeddings, and the two layers on top', async () => {
    const state = hashWeights(new BaselineFusion(512, 512, 10));
    const partOf = (part: string) =>
      new Map(
        [...state].filter(([name]) => name.startsWith(part)).map(([name, t]) => [name.slice(part.length), t]),
      );
    const rest = [...hashWeights(new BaselineHead(512, 10))].filter(([name]) =>
      /^(norm2|fc3|norm3|fc4)/.test(name),
    );
    const files = {
      audio: await saved(new Map([...partOf('audio.'), ...rest]), HEAD),
      video: await saved(new Map([...partOf('video.'), ...rest]), HEAD),
      fusion: await saved(state, { fc1: 0, fc2: 1 }),
    };
    expect(digests(await readStateDict(adaptBaselineFusion(files))).sort()).toEqual(digests(state).sort());
    const head = new Map([...partOf('audio.'), ...rest]);
    expect(digests(await readStateDict(adaptBaselineHead(files.audio)))).toEqual(digests(head));
  });

  test('of another net are refused with the names that do not fit', async () => {
    const file = await saved(hashWeights(new BaselineHead(512, 10)), { ...HEAD, fc4: 13 });
    const state = await readStateDict(adaptBaselineHead(file));
    expect(() => new BaselineHead(512, 10).loadStateDict(state)).toThrow(/fc4\.weight.*model\.13\.weight/s);
  });
});
