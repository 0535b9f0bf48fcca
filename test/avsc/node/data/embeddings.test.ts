import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalisePictures } from '../../../../src/avsc/features/pictures.ts';
import { DenseNetExtractor } from '../../../../src/avsc/models/densenet.ts';
import { Fcnn } from '../../../../src/avsc/models/fcnn.ts';
import { embed, JointNet, type Extractor, type Modality } from '../../../../src/avsc/models/joint.ts';
import {
  AUDIO_VALUES,
  frameBytes,
  openClipFile,
  readSecond,
  writeClipFile,
} from '../../../../src/avsc/node/data/clip-file.ts';
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

/** A decoded clip of noise. */
async function writeClip(name: string): Promise<PreparedClip> {
  const path = join(folder, `${name}.clip`);
  const seconds = Array.from({ length: SECONDS }, (_, i) => ({
    audio: uniform(`${name}/audio${i}`, AUDIO_VALUES),
    frames: Uint8Array.from(uniform(`${name}/frames${i}`, frameBytes(SIZE)), (x) => 127.5 * (x + 1)),
  }));
  await writeClipFile(path, SIZE, seconds);
  const source = { file: 'fold1_train.csv', line: 2 };
  const files = { audio: `audio/${name}.wav`, video: `video/${name}.mp4` };
  return { name, ...files, label: 4, location: undefined, source, path, seconds: SECONDS };
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
): Promise<{ table: EmbeddingTable; computed: number }> {
  let computed = 0;
  const onProgress = (done: number): void => void (computed = done);
  const options = { device, part, extractor, name: 'net', picture: PICTURE, folder: join(folder, name) };
  const table = await embedClips(clips, { ...options, onProgress, ...(signal && { signal }) });
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
    for (const clip of clips) {
      const file = await openClipFile(clip.path);
      for (const second of [0, 4, 6]) {
        const sample = await readSecond(file, second);
        const pictures = new Float32Array(sample.frames.length);
        normalisePictures(sample.frames, SIZE, PICTURE, pictures);
        const input =
          part === 'audio'
            ? device.tensor(Float32Array.from(sample.audio), [1, 6, 128, 39])
            : device.tensor(pictures, [1, 2, 3, SIZE, SIZE]);
        const expected = await noGrad(() => embed(part, nets[part], input)).data();
        const row = await table.read(clip, second);
        expect(row.length).toBe(nets[part].outFeatures);
        row.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - (expected[i] ?? NaN)))));
        expect(Math.max(...row)).toBeGreaterThan(0.01);
      }
    }
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
    const options = { device, part: 'video', extractor: nets.video, name: 'net', picture: PICTURE } as const;
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

  it('are read instead of pictures, which cannot be changed then', async () => {
    const { table } = await embedInto('whole-video');
    const sources = { audio: 'nothing', video: table } as const;
    const loader = await createLoader(clips, { batchSize: 8, sources });
    let at = 0;
    for await (const { audio, frames, embeddings, samples } of loader.batches(0)) {
      expect([audio.length, frames.length]).toEqual([0, 0]);
      for (const [slot, { clip, second }] of samples.entries()) {
        const row = embeddings.video?.slice(slot * table.features, (slot + 1) * table.features);
        expect(row).toEqual(await table.read(clip, second));
        at++;
      }
      expect(embeddings.video?.subarray(samples.length * table.features).every((x) => x === 0)).toBe(true);
    }
    expect(at).toBe(3 * SECONDS);
    const transform = (): void => undefined;
    await expect(createLoader(clips, { batchSize: 8, sources, transform })).rejects.toThrow(
      'samples whose embeddings are read cannot be transformed',
    );
  });
});
