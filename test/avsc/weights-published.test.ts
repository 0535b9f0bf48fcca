import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toStereo } from '../../src/avsc/audio/clip.ts';
import { decodeWav } from '../../src/avsc/audio/wav.ts';
import { LogMelExtractor } from '../../src/avsc/features/logmel.ts';
import { decodeImage } from '../../src/avsc/node/data/image.ts';
import { readCompanions } from '../../src/avsc/node/weights/companions.ts';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { classifyPictures } from '../../src/avsc/weights/classify.ts';
import { formatReport, importWeights, readStateDict } from '../../src/avsc/weights/import.ts';
import { MEAN_IMAGE, zeroMeanImage } from '../../src/avsc/weights/squeezenet.ts';
import { noGrad, softmax, type Device } from '../../src/index.ts';
import type { CheckpointTensor } from '../../src/nn/checkpoint/checkpoint.ts';
import type { StateDict } from '../../src/nn/state.ts';
import { openFile } from '../support/checkpoint.ts';
import { testDevice } from '../support/engine.ts';

/* Published weights on the pictures and recordings whose probabilities were computed with their own programs. */

const CHECKPOINTS = '../shared/checkpoints';
const SQUEEZENET = `${CHECKPOINTS}/squeezenet11bn_places365_urbste.safetensors`;
const SIZE = 224;
/** A busy machine with a software adapter takes minutes. */
const SLOW = 600_000;

type Top = readonly (readonly [index: number, name: string, probability: number])[];

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});
afterAll(() => device.destroy());

const here = existsSync(SQUEEZENET);

describe.skipIf(!here)(
  `SqueezeNet of Places365${here ? '' : ` (skipped: there is no ${SQUEEZENET})`}`,
  () => {
    const architecture = findArchitecture('squeezenet1_1');
    let expected: Readonly<Record<string, Top>>;

    beforeAll(async () => {
      const path = `${CHECKPOINTS}/squeezenet_places365_expected.json`;
      expected = JSON.parse(await readFile(path, 'utf8')) as typeof expected;
    });

    const weights = async (mean?: CheckpointTensor): Promise<StateDict> => {
      const file = await openFile(SQUEEZENET);
      const companions = mean
        ? new Map([[MEAN_IMAGE, mean]])
        : await readCompanions(architecture, SQUEEZENET);
      return readStateDict(importWeights(file, architecture, { companions }).tensors);
    };

    /** pixel = (3x + 5y + 40c) % 256 with c in BGR order; here its channels are RGB. */
    const synthetic = Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => {
      const [c, y, x] = [2 - Math.floor(i / SIZE ** 2), Math.floor(i / SIZE) % SIZE, i % SIZE];
      return (3 * x + 5 * y + 40 * c) % 256;
    });

    const worst = (probabilities: Float32Array, top: Top): number =>
      Math.max(...top.map(([index, , p]) => Math.abs((probabilities[index] ?? NaN) - p)));

    test(
      'gives the published probabilities of a synthetic picture and of a photograph',
      async () => {
        const photograph = await decodeImage('../shared/media/mountains.jpg', { size: SIZE });
        const given = [synthetic, photograph];
        const [first, second] = await classifyPictures(device, architecture, await weights(), given);
        const top = expected['synthetic (x*3+y*5+c*40)%256 BGR 224'] ?? [];
        const errors = [
          worst(first as Float32Array, top),
          worst(second as Float32Array, expected['mountains.jpg'] ?? []),
        ];
        console.log(
          `SqueezeNet: probabilities off by ${errors.map((e) => e.toExponential(1)).join(' (synthetic), ')} (photograph)`,
        );
        expect(errors[0]).toBeLessThan(1e-3);
        expect(errors[1]).toBeLessThan(1e-2);
      },
      SLOW,
    );

    test(
      'gives the published probabilities without a mean picture',
      async () => {
        const [probabilities] = await classifyPictures(device, architecture, await weights(zeroMeanImage()), [
          synthetic,
        ]);
        const top: Top = [
          [300, 'shoe_shop', 0.3763],
          [202, 'kindergarden_classroom', 0.2118],
          [50, 'beauty_salon', 0.1172],
        ];
        const error = worst(probabilities as Float32Array, top);
        console.log(`SqueezeNet without a mean picture: probabilities off by ${error.toExponential(1)}`);
        expect(error).toBeLessThan(1e-3);
      },
      SLOW,
    );

    test('refuses pictures of another size, and nets that hear', async () => {
      const wrong = [new Uint8Array(3 * SIZE * SIZE), new Uint8Array(12)];
      await expect(classifyPictures(device, architecture, await weights(), wrong)).rejects.toThrow(
        'a picture has 12 bytes, 3 x 224 x 224 are needed',
      );
      await expect(classifyPictures(device, findArchitecture('fcnn'), new Map(), [])).rejects.toThrow(
        'fcnn takes sound, not pictures',
      );
    });
  },
);

const FCNN = `${CHECKPOINTS}/smallfcnn-model-0.9618.hdf5`;
const RECORDINGS = '../shared/data/tau-mini/audio';
const heard = existsSync(FCNN) && existsSync(RECORDINGS);
const why = heard ? '' : ` (skipped: there is no ${FCNN} or no ${RECORDINGS})`;

describe.skipIf(!heard)(`the small FCNN as published${why}`, () => {
  test(
    'gives the published probabilities of whole recordings, features scaled over the 10 s',
    async () => {
      const architecture = findArchitecture('fcnn_small');
      const { tensors, report } = importWeights(await openFile(FCNN), architecture);
      console.log(formatReport(report));
      const net = architecture.createClassifier(architecture.classes);
      net.loadStateDict(await readStateDict(tensors));
      net.to(device).eval();
      const classify = device.compile((x) => noGrad(() => softmax(net.forward(x), 1)));
      const { probs } = JSON.parse(await readFile(`${CHECKPOINTS}/smallfcnn_tau_expected.json`, 'utf8')) as {
        readonly probs: Readonly<Record<string, readonly number[]>>;
      };
      const extractor = new LogMelExtractor();
      const errors: number[] = [];
      for (const [name, expected] of Object.entries(probs)) {
        const { channels } = decodeWav(await readFile(`${RECORDINGS}/${name}`));
        const { data, shape } = extractor.extract(toStereo(channels));
        const found = await (await classify({ data, shape: [1, ...shape] })).data();
        errors.push(...expected.map((p, i) => Math.abs((found[i] ?? NaN) - p)));
      }
      classify.dispose();
      net.dispose();
      const error = Math.max(...errors);
      console.log(
        `small FCNN: probabilities off by at most ${error.toExponential(1)} on ${errors.length / 3} recordings`,
      );
      expect(errors.length).toBe(33);
      expect(error).toBeLessThan(1e-3);
    },
    SLOW,
  );
});
