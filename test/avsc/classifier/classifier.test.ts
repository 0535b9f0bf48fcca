import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AudioSample,
  AudioSampleSource,
  BufferTarget,
  MkvOutputFormat,
  Output,
  Quality,
  VideoSample,
  VideoSampleSource,
} from 'mediabunny';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeWav,
  preset,
  SCENES,
  SceneClassifier,
  writeExperiment,
  type PictureBytes,
  type SceneImages,
  type SceneInput,
  type SceneResult,
} from '../../../src/avsc/index.ts';
import { exportAllSafetensors, exportRunSafetensors } from '../../../src/avsc/node/runs/export.ts';
import { weightsFile, type RunFolder } from '../../../src/avsc/node/runs/folder.ts';
import { modelsOfRun } from '../../../src/avsc/node/runs/trained.ts';
import { predictMedia } from '../../../src/avsc/node/runs/predict-media.ts';
import { readMedia } from '../../../src/avsc/node/data/read-media.ts';
import { nn, type Device } from '../../../src/index.ts';
import '../../../src/node.ts';
import { testDevice } from '../../support/engine.ts';
import { uniform } from '../../support/hash.ts';
import { makeRun } from '../../support/made_run.ts';
import { temporaryFolder } from '../media-files.ts';

const folder = temporaryFolder();
const { signal } = new AbortController();

let device: Device;
let run: RunFolder;
/** All models of the run in one file. */
let all: string;
let scene: SceneClassifier;
beforeAll(async () => {
  device = await testDevice();
  run = await makeRun(folder, 'run');
  all = join(folder, 'all.safetensors');
  await exportAllSafetensors(run, all);
  scene = await SceneClassifier.load(device, all);
});
afterAll(async () => {
  scene.dispose();
  await device.destroy();
});

/** Noise on a rising tone, which differs from channel to channel. */
const tone = (name: string, length: number): Float32Array =>
  uniform(name, length).map((value, i) => 0.2 * value + 0.5 * Math.sin((i * i) / 1e6));

/** A recording of `seconds` and a little more with moving pictures, as Matroska. */
async function writeRecording(path: string, seconds: number, rate: number, side: number): Promise<void> {
  const target = new BufferTarget();
  const output = new Output({ format: new MkvOutputFormat(), target });
  const video = new VideoSampleSource({
    codec: 'avc',
    quality: new Quality({ quantizer: 4, bitrate: 1e6 }),
    hardwareAcceleration: 'prefer-software',
  });
  const audio = new AudioSampleSource({ codec: 'pcm-s16' });
  output.addVideoTrack(video);
  output.addAudioTrack(audio);
  await output.start();
  const [width, height] = [side, side / 2];
  for (let i = 0; i < 30 * seconds + 3; i++) {
    const rgba = new Uint8Array(width * height * 4).map((_, k) => ((k >> 2) % width) + 5 * i + 40 * (k % 4));
    const sample = new VideoSample(rgba, {
      format: 'RGBX',
      codedWidth: width,
      codedHeight: height,
      timestamp: i / 30,
      duration: 1 / 30,
    });
    await video.add(sample);
    sample.close();
  }
  const length = rate * (seconds + 0.1);
  const data = new Float32Array(2 * length);
  ['left', 'right'].forEach((name, c) => tone(name, length).forEach((value, i) => (data[2 * i + c] = value)));
  const sound = new AudioSample({
    data,
    format: 'f32',
    numberOfChannels: 2,
    sampleRate: rate,
    timestamp: 0,
  });
  await audio.add(sound);
  sound.close();
  await output.finalize();
  await writeFile(path, new Uint8Array(target.buffer ?? new ArrayBuffer(0)));
}

/** What a program would pass to the classifier of a file: its sound, and its pictures as interleaved bytes with `channels`. */
async function contents(path: string, channels: number) {
  const { sound, frames } = await readMedia(path, { signal });
  const pictures: PictureBytes[] = [];
  if (frames !== undefined) {
    const { width, height, data } = frames;
    const plane = width * height;
    for (let at = 0; at < data.length; at += 3 * plane) {
      const bytes = new Uint8Array(channels * plane);
      for (let i = 0; i < plane; i++)
        for (let c = 0; c < 3; c++) bytes[i * channels + c] = data[at + c * plane + i] ?? 0;
      pictures.push({ data: bytes, width, height, channels });
    }
  }
  const images = Array.from({ length: pictures.length / 2 }, (_, i) =>
    pictures.slice(2 * i, 2 * i + 2),
  ) as unknown as SceneImages[];
  return { sound, images };
}

async function predicted(path: string): Promise<{ models: readonly string[]; rows: Float64Array[] }> {
  const predictor = predictMedia(modelsOfRun(run), device);
  try {
    const { models, probabilities } = await predictor.predict(path, signal);
    const count = probabilities.length / SCENES.length;
    const rows = Array.from({ length: count }, (_, i) =>
      probabilities.slice(i * SCENES.length, (i + 1) * SCENES.length),
    );
    return { models, rows };
  } finally {
    predictor.dispose();
  }
}

const difference = (a: Float64Array, b: Float64Array | undefined): number =>
  Math.max(...a.map((value, i) => Math.abs(value - (b?.[i] ?? NaN))));

let worstSum = 0;
afterAll(() => console.log(`sums of probabilities: at most ${worstSum.toExponential(1)} off 1`));

function checkResult(result: SceneResult): void {
  expect(result.names).toEqual(SCENES);
  const sum = result.probabilities.reduce((total, p) => total + p, 0);
  worstSum = Math.max(worstSum, Math.abs(sum - 1));
  expect(sum).toBeCloseTo(1, 12);
  expect(result.probability).toBe(Math.max(...result.probabilities));
  expect(result.scene).toBe(SCENES[result.probabilities.indexOf(result.probability)]);
  expect(result.probability - Math.min(...result.probabilities)).toBeGreaterThan(0.01);
}

describe('SceneClassifier', () => {
  it.each([
    ['sound and pictures', 'recording.mkv', 48_000, 64, 3],
    ['sound and pictures larger than they are stored', 'large.mkv', 48_000, 320, 4],
    ['sound of another rate', 'rate.mkv', 44_100, 64, 4],
  ])('judges %s as predict does', async (_, name, rate, side, channels) => {
    const path = join(folder, name);
    await writeRecording(path, 2, rate, side);
    const { sound, images } = await contents(path, channels);
    if (sound === undefined) throw new Error('no sound');
    const { models, rows } = await predicted(path);
    const results = await scene.classifyAll({ audio: sound.channels, sampleRate: rate, images });
    expect(results.map((result) => result.models)).toEqual([['joint'], ['joint']]);
    expect(models).toEqual(['joint']);
    results.forEach(checkResult);
    const error = Math.max(...results.map(({ probabilities }, i) => difference(probabilities, rows[i])));
    console.log(`${name}: probabilities differ by at most ${error.toExponential(1)} from predict's`);
    expect(error).toBeLessThan(1e-6);
  });

  it('judges one second, sound alone and pictures alone as predict does', async () => {
    const recording = join(folder, 'second.mkv');
    await writeRecording(recording, 1, 48_000, 64);
    const wav = join(folder, 'second.wav');
    const length = 44_100;
    await writeFile(wav, encodeWav([tone('a', length), tone('b', length)], 44_100, 24));
    const mono = join(folder, 'mono.wav');
    await writeFile(mono, encodeWav([tone('a', 48_000)], 48_000, 24));
    const errors: number[] = [];
    for (const [path, expected] of [
      [recording, 'joint'],
      [wav, 'audio'],
      [mono, 'audio'],
    ] as const) {
      const { sound, images } = await contents(path, 3);
      if (sound === undefined) throw new Error('no sound');
      const { models, rows } = await predicted(path);
      const channels = sound.channels.map((channel) => channel.subarray(0, sound.sampleRate));
      const [left = new Float32Array()] = channels;
      const result = await scene.classify({
        audio: channels.length === 1 ? left : channels,
        sampleRate: sound.sampleRate,
        ...(images[0] && { images: images[0] }),
      });
      expect([result.models, models]).toEqual([[expected], [expected]]);
      checkResult(result);
      errors.push(difference(result.probabilities, rows[0]));
    }
    const { images } = await contents(recording, 4);
    const [pictures] = images;
    if (pictures === undefined) throw new Error('no pictures');
    const silent = await scene.classify({ images: pictures });
    expect(silent.models).toEqual(['video']);
    checkResult(silent);
    console.log(
      `one second: probabilities differ by at most ${Math.max(...errors).toExponential(1)} from predict's`,
    );
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });

  it('judges calls that overlap in their order, of inputs as they were', async () => {
    const audio = Float32Array.from(tone('a', 48_000));
    const alone = [];
    for (let i = 1; i <= 4; i++)
      alone.push(
        await scene.classify({
          audio: audio.map((value, n) => (n % i === 0 ? value : 0)),
          sampleRate: 48_000,
        }),
      );
    const buffer = new Float32Array(48_000);
    const done: number[] = [];
    const together = [1, 2, 3, 4].map((i) => {
      buffer.set(audio.map((value, n) => (n % i === 0 ? value : 0)));
      return scene.classify({ audio: buffer, sampleRate: 48_000 }).finally(() => done.push(i));
    });
    expect((await Promise.all(together)).map(({ probabilities }) => probabilities)).toEqual(
      alone.map(({ probabilities }) => probabilities),
    );
    expect(done).toEqual([1, 2, 3, 4]);
    expect(new Set(alone.map(({ probability }) => probability)).size).toBe(4);
  });

  it('compiles nothing after it is loaded', async () => {
    const own = await SceneClassifier.load(device, all);
    const before = device.counters;
    await own.classify({ audio: tone('a', 48_000), sampleRate: 48_000 });
    const picture = { data: new Uint8Array(3 * 48 * 48).fill(9), width: 48, height: 48, channels: 3 };
    await own.classify({ audio: tone('a', 48_000), sampleRate: 48_000, images: picture });
    const { pipelinesCreated, shaderModulesCreated, buffersCreated } = device.counters;
    expect({ pipelinesCreated, shaderModulesCreated }).toEqual({
      pipelinesCreated: before.pipelinesCreated,
      shaderModulesCreated: before.shaderModulesCreated,
    });
    console.log(`a first classify makes ${buffersCreated - before.buffersCreated} buffers and no pipelines`);
    own.dispose();
    own.dispose();
    await expect(own.classify({ images: picture })).rejects.toThrow('this SceneClassifier was disposed');
  });

  it('loads a file of one model, and old files by their experiment', async () => {
    const one = join(folder, 'joint.safetensors');
    await exportRunSafetensors(run, 'joint', one);
    const input = {
      audio: tone('a', 48_000),
      sampleRate: 48_000,
      images: { data: new Uint8Array(3 * 50 * 60).map((_, i) => i), width: 60, height: 50, channels: 3 },
    };
    const want = await scene.classify(input);
    const joint = await SceneClassifier.load(device, one);
    expect(joint.models).toEqual(['joint']);
    expect((await joint.classify(input)).probabilities).toEqual(want.probabilities);
    await expect(joint.classify({ audio: input.audio, sampleRate: 48_000 })).rejects.toThrow(
      'the file has no model for sound alone, only joint: write one that has all by "wavelight export RUN --format safetensors --all"',
    );
    const old = await readFile(weightsFile(run, 'joint'));
    await expect(SceneClassifier.load(device, old)).rejects.toThrow(
      'the file does not say which nets its weights are of: write one by "wavelight export RUN --format safetensors", or give the experiment in the options',
    );
    const given = await SceneClassifier.load(device, old, { experiment: preset('small') });
    expect((await given.classify(input)).probabilities).toEqual(want.probabilities);
    await expect(
      SceneClassifier.load(device, old, { experiment: preset('small'), model: 'audio' }),
    ).rejects.toThrow('the file is not of the audio model that it says it is: it lacks');
    await expect(SceneClassifier.load(device, all, { model: 'fusion' })).rejects.toThrow(
      'the file has no model fusion: it has audio, video, joint',
    );
    const audio = await SceneClassifier.load(device, all, { model: 'audio' });
    expect((await audio.classify(input)).models).toEqual(['audio']);
    await expect(audio.classify({ images: input.images })).rejects.toThrow(
      'the file has no model for pictures alone, only audio',
    );
    for (const loaded of [joint, given, audio]) loaded.dispose();
  });

  it.each([
    ['{"version":2}', 'the definition of its nets is not valid: version is 2, this program reads 1'],
    ['{', 'the definition of its nets is not valid: '],
    [
      JSON.stringify({ version: 1, experiment: writeExperiment(preset('small')), prefixes: { other: '' } }),
      'the definition of its nets is not valid: prefixes.other is of no stage of the experiment',
    ],
    [
      JSON.stringify({ version: 1, experiment: writeExperiment(preset('small')), prefixes: {} }),
      'the file names no model',
    ],
    [
      JSON.stringify({ version: 1, experiment: writeExperiment(preset('small')), prefixes: { audio: '' } }),
      'the file is not of the audio model that it says it is: it lacks audio.',
    ],
  ])('refuses a file whose definition is %s', async (definition, message) => {
    const tensors = new Map([['w', { shape: [1], data: new Float32Array(1) }]]);
    const file = nn.writeSafetensors(tensors, new Map([['definition', definition]]));
    await expect(SceneClassifier.load(device, file)).rejects.toThrow(message);
  });

  const picture = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 };
  const second = new Float32Array(48_000);
  it.each<[string, unknown, string]>([
    ['nothing', {}, 'classify needs audio, images or both'],
    ['another name', { sound: second }, 'classify takes audio, sampleRate, images, got sound'],
    ['no rate', { audio: second }, 'sampleRate must be a number of Hz above 0, got undefined'],
    [
      'a short second',
      { audio: second.subarray(0, 40_000), sampleRate: 48_000 },
      'audio has 0.833 s at 48000 Hz, at least one second',
    ],
    [
      'a long second',
      { audio: new Float32Array(96_000), sampleRate: 48_000 },
      'audio has 2.000 s at 48000 Hz, classify takes one second: use classifyAll',
    ],
    [
      'NaN',
      { audio: second.map((_, i) => (i === 7 ? NaN : 0)), sampleRate: 48_000 },
      'audio has NaN at sample 7',
    ],
    [
      'integers',
      { audio: new Int16Array(48_000), sampleRate: 48_000 },
      'audio must be a Float32Array, [left, right] of them or an AudioBuffer',
    ],
    ['three channels', { audio: [second, second, second], sampleRate: 48_000 }, 'one or two channels, got 3'],
    [
      'three pictures',
      { images: [picture, picture, picture] },
      'images must be one picture or two (of 0 s and 14/30 s), got 3',
    ],
    [
      'a wrong size',
      { images: { ...picture, width: 3 } },
      'a picture of 3 x 2 pixels of 3 bytes has not 12 bytes',
    ],
    [
      'no bytes',
      { images: { ...picture, data: new Float32Array(12) } },
      'the data of a picture must be bytes',
    ],
    ['something else', { images: new Map() }, 'a picture must be bytes with width and height'],
  ])('refuses %s', async (_, input, message) => {
    await expect(scene.classify(input as SceneInput)).rejects.toThrow(message);
  });

  it('refuses pictures of other seconds than the sound has', async () => {
    await expect(
      scene.classifyAll({ audio: new Float32Array(96_000), sampleRate: 48_000, images: [picture] }),
    ).rejects.toThrow('the sound has 2 whole seconds, there are pictures of 1');
  });
});
