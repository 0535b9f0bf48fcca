import { describe, expect, test } from 'vitest';
import { findArchitecture } from '../../src/avsc/weights/architectures.ts';
import { importWeights, readStateDict } from '../../src/avsc/weights/import.ts';
import { openCheckpoint } from '../../src/nn/checkpoint/open.ts';
import { bytesSource } from '../../src/nn/checkpoint/source.ts';
import type { HostTensor } from '../../src/nn/state.ts';
import { uniform } from '../support/hash.ts';
import { openWritten } from '../support/checkpoint.ts';
import { writeKerasLayers } from '../support/keras_writer.ts';
import { digests, hashWeights } from '../support/nets.ts';

/* Files as Keras writes OpenL3's: layers in the order of the net, numbered by kind, the last convolution with its own name. */

type Layers = Record<string, Record<string, HostTensor>>;

const NORM_PARTS = {
  weight: 'gamma',
  bias: 'beta',
  running_mean: 'moving_mean',
  running_var: 'moving_variance',
} as const;

/** [out, in, H, W] to [H, W, in, out]. */
function hwio({ shape, data }: HostTensor): HostTensor {
  const [outputs = 1, inputs = 1, height = 1, width = 1] = shape;
  const turned = new Float32Array(data.length);
  let to = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let i = 0; i < inputs; i++)
        for (let o = 0; o < outputs; o++)
          turned[to++] = data[((o * inputs + i) * height + y) * width + x] ?? NaN;
  return { shape: [height, width, inputs, outputs], data: turned };
}

/** The weights under Keras' names; convolutions are numbered from `conv`, norms from `norm`. */
function kerasLayers(
  state: ReadonlyMap<string, HostTensor>,
  embedding: string,
  { conv, norm }: { readonly conv: number; readonly norm: number },
): Layers {
  const layers: Layers = { input_1: {} };
  for (const [name, tensor] of state) {
    const [layer = '', part = ''] = name.split('.');
    const number = Number(layer.slice(4));
    if (layer.startsWith('norm')) {
      const weights = (layers[`batch_normalization_${norm + number}`] ??= {});
      weights[NORM_PARTS[part as keyof typeof NORM_PARTS]] = tensor;
    } else {
      const weights = (layers[number === 8 ? embedding : `conv2d_${conv + number - 1}`] ??= {});
      weights[part === 'weight' ? 'kernel' : part] = part === 'weight' ? hwio(tensor) : tensor;
    }
  }
  return layers;
}

const open = async (layers: Layers) => openCheckpoint(bytesSource(await writeKerasLayers(layers)));

describe.each([
  ['openl3_audio', 'audio_embedding_layer', { conv: 1, norm: 1 }],
  ['openl3_image', 'vision_embedding_layer', { conv: 8, norm: 9 }],
] as const)('%s', (name, embedding, first) => {
  const architecture = findArchitecture(name);
  const state = hashWeights(architecture.createExtractor());

  test('takes the published file, whatever its layers are numbered from', async () => {
    const file = await open(kerasLayers(state, embedding, first));
    expect([...file.tensors.keys()]).toContain(`conv2d_${first.conv}/kernel`);
    const { report, tensors } = importWeights(file, architecture, { dropHead: true });
    expect(report).toMatchObject({ missing: [], unexpected: [], wrongShape: [], dropped: [] });
    expect(digests(await readStateDict(tensors))).toEqual(digests(state));
  });

  test('names the layers of another net', async () => {
    const other = name === 'openl3_audio' ? 'vision_embedding_layer' : 'audio_embedding_layer';
    const file = await open(kerasLayers(state, other, first));
    expect(() => importWeights(file, architecture, { dropHead: true })).toThrow(
      `missing conv8.weight, conv8.bias; unexpected ${other}/kernel, ${other}/bias`,
    );
  });
});

test('the spectrogram of older files is left out', async () => {
  const architecture = findArchitecture('openl3_audio');
  const layers = kerasLayers(hashWeights(architecture.createExtractor()), 'audio_embedding_layer', {
    conv: 1,
    norm: 1,
  });
  const mel = { shape: [5, 3], data: uniform('mel', 15) };
  const file = await open({ ...layers, melspectrogram_1: { freq2mel: mel, real_kernels: mel } });
  const { report } = importWeights(file, architecture, { dropHead: true });
  expect(report.unexpected).toEqual([]);
  expect(report.dropped).toEqual(['melspectrogram_1/freq2mel', 'melspectrogram_1/real_kernels']);
});

test('two tensors of one name are refused', async () => {
  const kernel = { shape: [3, 3, 1, 64], data: uniform('k', 576) };
  const file = await openWritten(
    new Map([
      ['conv2d_1/kernel', kernel],
      ['model/conv2d_1/kernel', kernel],
    ]),
  );
  expect(() => importWeights(file, findArchitecture('openl3_audio'))).toThrow(
    'two tensors that are conv1.weight here',
  );
});
