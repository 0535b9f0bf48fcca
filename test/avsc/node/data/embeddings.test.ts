import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalisePictures } from '../../../../src/avsc/features/pictures.ts';
import { DenseNetExtractor } from '../../../../src/avsc/models/densenet.ts';
import { Extractor } from '../../../../src/avsc/models/extractor.ts';
import { Fcnn } from '../../../../src/avsc/models/fcnn.ts';
import { embed, JointNet, type Modality } from '../../../../src/avsc/models/joint.ts';
import { openClipFile, writeClipFile } from '../../../../src/avsc/node/data/clip-file.ts';
import { inputBytes } from '../../../../src/avsc/node/data/derive.ts';
import { InputReader, openInput } from '../../../../src/avsc/node/data/input-source.ts';
import { deriveInputs } from '../../../../src/avsc/node/data/prepare-clip.ts';
import { frameBytes } from '../../../../src/avsc/node/data/records.ts';
import { embedClips, type EmbeddingTable } from '../../../../src/avsc/node/data/embeddings.ts';
import { createLoader } from '../../../../src/avsc/node/data/loader.ts';
import type { PreparedClip } from '../../../../src/avsc/node/data/prepare.ts';
import { manualSeed, noGrad, type Device } from '../../../../src/index.ts';
import { testDevice } from '../../../support/engine.ts';
import { uniform } from '../../../support/hash.ts';
import { temporaryFolder } from '../../media-files.ts';

const folder = temporaryFolder();
const SIZE = 32;
const PICTURE = { kind: 'picture', size: SIZE, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] } as const;
/** More than one batch of five, and a part of one. */
const SECONDS = 7;

let device: Device;
let clips: readonly PreparedClip[];
const nets: Record<Modality, Extractor> = { audio: audioNet(1), video: videoNet(1) };

function audioNet(seed: number): Extractor {
  manualSeed(seed);
  return new Fcnn({ features: 12, widths: [4, 8, 8] });
}

function videoNet(seed: number): Extractor {
  manualSeed(seed);
  return new DenseNetExtractor({ growthRate: 4, blocks: [2, 2], stem: 8 });
}

const INPUTS = { audio: 'logmel', video: 'frames' } as const;
const AUDIO_VALUES = 6 * 128 * 39;

/** A prepared clip of noise. */
async function writeClip(name: string): Promise<PreparedClip> {
  const path = join(folder, `${name}.clip`);
  const sound = Array.from(
    { length: SECONDS },
    (_, i) => [uniform(`${name}/left${i}`, 48_000), uniform(`${name}/right${i}`, 48_000)] as const,
  );
  const data = Uint8Array.from(uniform(`${name}/frames`, SECONDS * frameBytes(40)), (x) => 127.5 * (x + 1));
  await writeClipFile(path, sound, { width: 40, height: 40, data });
  const options = { size: SIZE, scaling: 'sample' } as const;
  const { derived } = await deriveInputs(await openClipFile(path), ['logmel', 'frames'], options, false);
  const source = { file: 'fold1_train.csv', line: 2 };
  const files = { audio: `audio/${name}.wav`, video: `video/${name}.mp4` };
  return { name, ...files, label: 4, location: undefined, source, path, seconds: SECONDS, derived };
}

beforeAll(async () => {
  device = await testDevice();
  clips = await Promise.all(['park', 'lake', 'hill'].map(writeClip));
  for (const net of Object.values(nets)) net.to(device);
});
afterAll(() => {
  for (const net of Object.values(nets)) net.dispose();
  return device.destroy();
});

/** Embeds the clips below `name` and tells how many seconds were computed. */
async function embedInto(
  name: string,
  part: Modality = 'video',
  extractor = nets[part],
  signal?: AbortSignal,
  those = clips,
): Promise<{ table: EmbeddingTable; computed: number }> {
  let computed = 0;
  const onProgress = (done: number): void => void (computed = done);
  const net = { part, extractor, input: INPUTS[part], name: 'net', picture: PICTURE };
  const options = { device, ...net, folder: join(folder, name) };
  const table = await embedClips(those, { ...options, onProgress, ...(signal && { signal }) });
  return { table, computed };
}

/** Files below a folder by name, without the folder of the key. */
const filesOf = (name: string): [string, Buffer][] =>
  readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.embeddings'))
    .sort()
    .map((path) => [path, readFileSync(join(folder, name, path))]);

const pathOf = (name: string, index: number): string =>
  join(folder, name, filesOf(name)[index]?.[0] ?? 'missing');

describe('embeddings of frozen extractors', () => {
  it.each(['audio', 'video'] as const)('are what the %s net makes of each second', async (part) => {
    const { table, computed } = await embedInto(`whole-${part}`, part);
    expect(computed).toBe(3 * SECONDS);
    let worst = 0;
    const reader = new InputReader();
    for (const clip of clips) {
      const source = await openInput(clip, INPUTS[part], SIZE);
      for (const second of [0, 4, 6]) {
        const bytes = new Uint8Array(inputBytes(INPUTS[part], SIZE));
        await reader.read(source, second, bytes);
        const pictures = new Float32Array(part === 'video' ? bytes.length : 0);
        if (part === 'video') normalisePictures(bytes, SIZE, PICTURE, pictures);
        const input =
          part === 'audio'
            ? device.tensor(new Float32Array(bytes.buffer), [1, 6, 128, 39])
            : device.tensor(pictures, [1, 2, 3, SIZE, SIZE]);
        const expected = await noGrad(() => embed(part, nets[part], input)).data();
        const row = await table.read(clip, second);
        expect(row.length).toBe(nets[part].outFeatures);
        row.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - (expected[i] ?? NaN)))));
        expect(Math.max(...row)).toBeGreaterThan(0.01);
      }
    }
    await reader.close();
    console.log(`largest difference of a kept ${part} embedding from one computed alone: ${worst}`);
    expect(worst).toBeLessThan(1e-6);
  });

  it('are found again; damaged, cut and missing ones are remade to the same bytes', async () => {
    const name = 'whole-video';
    const before = filesOf(name);
    expect(before).toHaveLength(3);
    expect((await embedInto(name)).computed).toBe(0);
    const damages: ((path: string, bytes: Buffer) => void)[] = [
      (path, bytes) =>
        writeFileSync(
          path,
          bytes.map((byte, i) => (i === 40 ? byte ^ 4 : byte)),
        ),
      (path, bytes) => writeFileSync(path, bytes.subarray(0, bytes.length - 4)),
      (path, bytes) =>
        writeFileSync(
          path,
          bytes.map((byte, i) => (i === 8 ? byte + 1 : byte)),
        ),
      (path) => rmSync(path),
    ];
    for (const damage of damages) {
      damage(pathOf(name, 1), before[1]?.[1] ?? Buffer.of());
      expect((await embedInto(name)).computed).toBe(SECONDS);
      expect(filesOf(name)).toEqual(before);
    }
  });

  it('belong to the weights: others have their own', async () => {
    const other = videoNet(2).to(device);
    expect((await embedInto('whole-video', 'video', other)).computed).toBe(3 * SECONDS);
    other.dispose();
    expect(filesOf('whole-video')).toHaveLength(6);
  });

  it('go on after a stop, to the same bytes', async () => {
    const stop = new AbortController();
    const net = { part: 'video', extractor: nets.video, input: 'frames', name: 'net' } as const;
    const options = { device, ...net, picture: PICTURE };
    const stopped = embedClips(clips, {
      ...options,
      folder: join(folder, 'stopped'),
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    const kept = filesOf('stopped').length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(3);
    expect((await embedInto('stopped')).computed).toBe((3 - kept) * SECONDS);
    const whole = new Map(filesOf('whole-video'));
    for (const [path, bytes] of filesOf('stopped')) expect(bytes, path).toEqual(whole.get(path));
  });

  it.each(['plain', 'standardised'])(
    'give the %s joint net the logits that the inputs give',
    async (kind) => {
      const standardised: readonly Modality[] = kind === 'plain' ? [] : ['video'];
      const joint = new JointNet(audioNet(3), videoNet(3), 10, { standardised });
      expect([...joint.namedTensors().keys()].filter((name) => name.includes('_norm.'))).toEqual(
        kind === 'plain' ? [] : ['video_norm.running_mean', 'video_norm.running_var'],
      );
      joint.to(device).eval();
      const sound = device.tensor(uniform('sound', 2 * AUDIO_VALUES), [2, 6, 128, 39]);
      const frames = device.tensor(uniform('sight', 2 * frameBytes(SIZE)), [2, 2, 3, SIZE, SIZE]);
      const logits = await noGrad(() => joint.forward(sound, frames)).data();
      const embeddings = noGrad(() => ({
        audio: embed('audio', joint.audio, sound),
        video: embed('video', joint.video, frames),
      }));
      const { audio, video } = embeddings;
      expect(await noGrad(() => joint.forward(audio, frames)).data()).toEqual(logits);
      expect(await noGrad(() => joint.forward(sound, video)).data()).toEqual(logits);
      expect(await noGrad(() => joint.forward(audio, video)).data()).toEqual(logits);
      joint.dispose();
    },
  );

  it('are read instead of pictures, with rows for partners', async () => {
    const { table } = await embedInto('whole-video');
    const sources = { audio: 'nothing', video: table } as const;
    const mixup = { share: 0.25, ratio: { alpha: 0.4 } };
    const loader = await createLoader(clips, {
      batchSize: 8,
      dropLast: false,
      shuffle: { seed: 2 },
      sources,
      mixup,
    });
    let at = 0;
    for await (const { inputs, embeddings, samples, rowSamples, rows } of loader.batches(0)) {
      expect(inputs).toEqual({});
      expect([rows, embeddings.video?.length]).toEqual([11, 11 * table.features]);
      for (const [slot, sample] of rowSamples.entries()) {
        const row = embeddings.video?.slice(slot * table.features, (slot + 1) * table.features);
        const expected = sample
          ? await table.read(sample.clip, sample.second)
          : new Float32Array(table.features);
        expect(row).toEqual(expected);
      }
      at += samples.length;
    }
    expect(at).toBe(3 * SECONDS);
  });

  it('of an extra clip are those of the original for pictures, its own for sound', async () => {
    const [first, second] = clips;
    if (!first || !second) throw new Error('no clip');
    const frames = first.derived?.frames ?? '';
    const extra = {
      ...first,
      name: `${first.name}+noise-1`,
      path: second.path,
      pictures: first.path,
      derived: { logmel: second.derived?.logmel ?? '', frames },
    };
    const video = await embedInto('extra-video', 'video', nets.video, undefined, [first, extra]);
    expect([video.computed, filesOf('extra-video').length]).toEqual([SECONDS, 1]);
    expect(await video.table.read(extra, 3)).toEqual(await video.table.read(first, 3));
    const audio = await embedInto('extra-audio', 'audio', nets.audio, undefined, [first, second, extra]);
    expect([audio.computed, filesOf('extra-audio').length]).toEqual([2 * SECONDS, 2]);
    expect(await audio.table.read(extra, 3)).toEqual(await audio.table.read(second, 3));
  });
});
